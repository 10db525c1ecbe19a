import { expect, test } from 'vitest';
import { simulate } from './consortium.ts';

test('a site that abandons a round tries it once for each state, says so once, and goes on when the others have changed the model', async () => {
  const run = await simulate({
    seed: 3,
    trainers: 4,
    rounds: 3,
    quorum: 2,
    lostShare: 0,
    unsound: 2,
    faults: {
      lossShare: 0,
      delayMs: 200,
      lateShare: 0,
      lateMs: 0,
      partitions: [],
      crashes: [],
    },
  });
  const abandoned = run.trace.filter((line) => line.includes('the round is abandoned'));
  expect(abandoned).toHaveLength(1);
  expect(abandoned[0]).toMatch(/ site-2 .*"code":"NON_FINITE","round":1,/);
  const [state] = run.states;
  expect(state?.findings).toEqual([]);
  // It has given every round all the same, the first one from another state.
  const given = state?.rounds.map(({ updates }) => updates.length);
  expect(given).toEqual([4, 4, 4]);
});
