import { withQueries } from '../api/queries-here.ts';
import { outlineLines } from '../api/state-text.ts';
import { usage } from '../usage.ts';
import { type Command, type Invocation, textOption } from './command.ts';

const form = 'state list [--from ROUND] [--limit N]';

export const stateList: Command = {
  usage: form,
  summary: 'list the states of rounds, by default of the last twenty, and the latest',
  options: { from: { type: 'string' }, limit: { type: 'string' }, json: { type: 'boolean' } },
  positionals: 0,
  async run(invocation) {
    const { folder, options, print } = invocation;
    const page = {
      ...given(invocation, 'from', 0, 100_000),
      ...given(invocation, 'limit', 1, 100),
    };
    const answer = await withQueries(folder, (queries) => queries.states(page));
    if (options['json'] === true) {
      print(JSON.stringify(answer, null, 2));
      return;
    }
    for (const line of outlineLines(answer.states)) print(line);
    print(`latest  ${answer.latest.digest}${answer.latest.isComplete ? '' : '  INCOMPLETE'}`);
  },
};

function given(
  invocation: Invocation,
  option: 'from' | 'limit',
  least: number,
  most: number,
): { from?: number; limit?: number } {
  const text = textOption(invocation, option);
  if (text === undefined) return {};
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return { [option]: value };
  throw usage(`--${option} needs a whole number from ${least} to ${most}, got ${text}`, form);
}
