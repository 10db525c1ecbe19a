import { withQueries } from '../api/queries-here.ts';
import { stateArgument } from '../api/state-argument.ts';
import { diffLines } from '../api/state-text.ts';
import type { Command } from './command.ts';

export const stateDiff: Command = {
  usage: 'state diff A B',
  summary: 'tell which logs differ between two states, and how far apart their weights are',
  options: { json: { type: 'boolean' } },
  positionals: 2,
  async run({ folder, positionals, options, print }) {
    const [a = '', b = ''] = positionals;
    const diff = await withQueries(folder, async (queries) =>
      queries.diff(await stateArgument(queries, a), await stateArgument(queries, b)),
    );
    if (options['json'] === true) print(JSON.stringify(diff, null, 2));
    else for (const line of diffLines(diff)) print(line);
  },
};
