import { expect, test } from 'vitest';
import { witnessQuorum } from './witness-quorum.ts';

test.each([
  [1, 0],
  [2, 1],
  [3, 2],
  [4, 3],
  [5, 3],
  [6, 4],
  [7, 4],
  [8, 5],
  [9, 5],
  [10, 6],
  [20, 11],
  [21, 11],
  [256, 129],
])('of %s members, %s others have to cosign', (members, quorum) => {
  expect(witnessQuorum(members)).toBe(quorum);
});

test('two quorums share two witnesses at least, and with one fewer they need not', () => {
  // Two sets of q among w others share at least 2q - w, and there are two that share no more.
  const fewestShared = (quorum: number, witnesses: number): number =>
    Math.max(0, 2 * quorum - witnesses);
  for (let members = 3; members <= 300; members += 1) {
    const quorum = witnessQuorum(members);
    expect(quorum).toBeLessThanOrEqual(members - 1);
    expect(fewestShared(quorum, members - 1)).toBeGreaterThanOrEqual(2);
    expect(fewestShared(quorum - 1, members - 1)).toBeLessThan(2);
  }
});

test.each([0, -1, 2.5, Number.NaN, Infinity])('no consortium has %s members', (members) => {
  expect(() => witnessQuorum(members)).toThrow(RangeError);
});
