import { beforeAll, expect, test } from 'vitest';
import { ApiStudy } from './api-fixture.ts';
import { noCheckpoints } from './log-proof.ts';
import type { QueriesHere } from './queries-here.ts';
import { stateArgument } from './state-argument.ts';
import { StudyQueries } from './study-queries.ts';

const study = new ApiStudy();
let queries: StudyQueries;
let digests: string[];

beforeAll(async () => {
  const { evaluated } = await study.twoRounds();
  const history = study.history();
  queries = new StudyQueries({
    self: study.key(0).id,
    history,
    checkpoints: noCheckpoints,
    connected: () => null,
  });
  digests = [evaluated.digest, ...(await history.rounds(0, 9)).map(({ digest }) => digest)];
});

test('the beginning of a digest names the state, of a round or evaluated', async () => {
  expect(new Set(digests).size).toBe(5);
  for (const digest of digests) {
    expect(await stateArgument(queries, digest.slice(0, 8))).toBe(digest);
    expect(await stateArgument(queries, digest.slice(0, 63))).toBe(digest);
  }
});

test.each(['latest', 'round:0', 'ab'.repeat(32)])('%s is a name already', async (name) => {
  expect(await stateArgument(queries, name)).toBe(name);
});

test.each([
  ['ab'.repeat(20), 'STATE_UNKNOWN'],
  ['abcdef0', 'USAGE'],
  ['LATEST', 'USAGE'],
  ['round:01', 'USAGE'],
  ['../../etc', 'USAGE'],
  ['', 'USAGE'],
])('%j is refused as %s', async (text, code) => {
  await expect(stateArgument(queries, text)).rejects.toMatchObject({ code });
});

test('a beginning that two states share is refused', async () => {
  const outline = { names: [], rounds: 0, isComplete: true, heads: [], absent: [] };
  const shared = 'abcdef01';
  const both: Pick<QueriesHere, 'evaluations' | 'states'> = {
    evaluations: async () => ({ minimumCohort: 5, cells: [] }),
    states: async () => ({
      latest: { ...outline, digest: shared.padEnd(64, '0') },
      from: 0,
      states: [{ ...outline, digest: shared.padEnd(64, '1') }],
    }),
  };
  await expect(stateArgument(both as QueriesHere, shared)).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('2 states'),
  });
});
