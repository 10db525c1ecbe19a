import { expect, test } from 'vitest';
import type { AcceptedUpdate } from '../decide.ts';
import { waysToLack } from './late-payloads.ts';

function update(round: number): AcceptedUpdate {
  const author = `site ${round}`;
  const rest = { payload: '', payloadBytes: 1, base: '', weight: 1 };
  return { ...rest, site: author, author, index: round, round };
}

test('some are missing: fewest first, and the newest of equally many', () => {
  const ways = [...waysToLack([1, 3, 2].map(update))];
  expect(ways.map((way) => [...way].map(({ round }) => round))).toEqual([
    [3],
    [2],
    [1],
    [3, 2],
    [3, 1],
    [2, 1],
    [3, 2, 1],
  ]);
});

test('nothing can be missing of nothing', () => {
  expect([...waysToLack([])]).toEqual([]);
});
