import { weightedMean } from '@consilium/averaging';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AcceptedUpdate } from '../decide.ts';
import { type WalkedState, walkWeights } from './weights-walk.ts';

const length = 3;
const integers = fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 });
const vectors = fc
  .array(integers, { minLength: length, maxLength: length })
  .map((values) => Int32Array.from(values));
/** For each update its round, its site, and its values; null for one that does not count. */
const studies = fc.uniqueArray(
  fc.record({
    round: fc.integer({ min: 1, max: 4 }),
    site: fc.integer({ min: 0, max: 3 }),
    weight: fc.integer({ min: 1, max: 1_000 }),
    values: fc.option(vectors),
  }),
  { selector: ({ round, site }) => 10 * round + site, maxLength: 12 },
);

function updateOf({
  round,
  site,
  weight,
}: {
  round: number;
  site: number;
  weight: number;
}): AcceptedUpdate {
  const author = `site ${site}`;
  return {
    site: author,
    author,
    index: round,
    round,
    weight,
    payload: '',
    payloadBytes: 1,
    base: '',
  };
}

function held(sum: number): number {
  return Math.max(-(2 ** 31) + 1, Math.min(2 ** 31 - 1, sum));
}

test('stops at every sum that is asked for, computed as it is defined', async () => {
  await fc.assert(
    fc.asyncProperty(vectors, studies, async (initial, study) => {
      const given = study.map((each) => ({ ...each, update: updateOf(each) }));
      const valuesOf = new Map(given.map(({ update, values }) => [update, values]));
      const first = given.filter(({ site }) => site < 2).map(({ update }) => update);
      const states: (Omit<WalkedState, 'weights'> & { weights: number[] })[] = [];
      const walk = walkWeights({
        initial,
        updates: given.map(({ update }) => update),
        gridOf: async (update) => valuesOf.get(update) ?? null,
        partsOf: () => [{ key: 'first', updates: new Set(first) }],
      });
      for await (const state of walk) states.push({ ...state, weights: [...state.weights] });
      for (const { round, part, weights } of states) {
        const counted = given.filter(
          (each) =>
            each.round < round || (each.round === round && (part === null || each.site < 2)),
        );
        const sums = Float64Array.from(initial);
        for (const ofRound of Map.groupBy(counted, (each) => each.round).values()) {
          const present = ofRound.flatMap(({ weight, values }) =>
            values === null ? [] : { weight, update: values },
          );
          if (present.length === 0) continue;
          for (const [i, mean] of weightedMean(present).entries())
            sums[i] = (sums[i] as number) + mean;
        }
        expect(weights).toEqual([...sums].map(held));
      }
      const rounds = [...new Set(given.map(({ round }) => round))].sort();
      expect(states.map(({ round, part }) => [round, part])).toEqual([
        [0, null],
        ...rounds.flatMap((round) => [
          [round, 'first'],
          [round, null],
        ]),
      ]);
    }),
  );
});

test('counts the weights that it had to hold', async () => {
  const update = updateOf({ round: 2, site: 0, weight: 3 });
  const largest = 2 ** 31 - 1;
  const walk = walkWeights({
    initial: Int32Array.of(largest, 5, -largest),
    updates: [update],
    gridOf: async () => Int32Array.of(2, 2, -2),
    partsOf: () => [],
  });
  const saturated: number[] = [];
  let last: number[] = [];
  for await (const state of walk) {
    saturated.push(state.saturated);
    last = [...state.weights];
  }
  expect(saturated).toEqual([0, 2]);
  expect(last).toEqual([largest, 7, -largest]);
});
