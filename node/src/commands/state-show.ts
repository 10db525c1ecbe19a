import { withQueries } from '../api/queries-here.ts';
import { stateArgument } from '../api/state-argument.ts';
import { stateLines } from '../api/state-text.ts';
import type { Command } from './command.ts';

export const stateShow: Command = {
  usage: 'state show [DIGEST]',
  summary: 'show a state of the model: its logs, who gave which round, how well it does where',
  options: { json: { type: 'boolean' } },
  positionals: 0,
  optionalPositionals: 1,
  async run({ folder, positionals, options, print }) {
    const state = await withQueries(folder, async (queries) =>
      queries.state(await stateArgument(queries, positionals[0] ?? 'latest')),
    );
    if (options['json'] === true) print(JSON.stringify(state, null, 2));
    else for (const line of stateLines(state)) print(line);
  },
};
