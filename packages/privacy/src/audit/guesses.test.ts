import { expect, test } from 'vitest';
import { guessMembers } from './guesses.ts';

const scores = [0.4, -3, 2.5, 0.1, 7, -0.2];
const included = [true, false, true, false, false, true];

test.each([
  // Ranked: 1 (out), 5 (in), 3 (out), 0 (in), 2 (in), 4 (out).
  [{ included: 2, excluded: 1 }, 2],
  [{ included: 3, excluded: 3 }, 4],
  [{ included: 0, excluded: 2 }, 1],
  [{ included: 1, excluded: 0 }, 0],
  [{ included: 0, excluded: 0 }, 0],
])('counts the right ones among the guesses %o', (count, correct) => {
  expect(guessMembers(scores, included, count)).toEqual({
    canaries: 6,
    guesses: count.included + count.excluded,
    correct,
  });
});

test('guesses among equal scores by position, so that a constant score tells nothing', () => {
  const coins = [true, false, false, true, true, false, true, false];
  const count = { included: 4, excluded: 4 };
  expect(
    guessMembers(
      coins.map(() => 3),
      coins,
      count,
    ).correct,
  ).toBe(4);
});

test.each([
  [[0.1, 0.2], [true], { included: 1, excluded: 0 }],
  [[0.1, Number.NaN], [true, false], { included: 1, excluded: 0 }],
  [[0.1, 0.2], [true, false], { included: 2, excluded: 1 }],
  [[0.1, 0.2], [true, false], { included: -1, excluded: 1 }],
])('refuses %o of %o with %o', (badScores, coins, count) => {
  expect(() => guessMembers(badScores, coins, count)).toThrow(RangeError);
});
