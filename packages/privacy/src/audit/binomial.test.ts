import fc from 'fast-check';
import { expect, test } from 'vitest';
import { binomialProbabilities, binomialTail } from './binomial.ts';

// Exact sums with mpmath, 40 digits.
test.each([
  [7, 10, 0.3, 0.0105920784],
  [75, 100, 0.661, 0.0355967177056559],
  [530, 1000, 0.5, 0.0310115975491816],
  [1439, 1510, 0.92, 2.60112862810759e-7],
  [3, 3, 0.2, 0.008],
  [92_300, 100_000, 0.92, 0.000224361363801679],
  [990, 1000, 0.917, 2.55693494766532e-25],
])('at least %i successes of %i with probability %d have probability %d', (k, n, p, tail) => {
  expect(Math.abs(binomialTail(k, n, p) / tail - 1)).toBeLessThan(1e-10);
});

test('the tail begins at 1 and ends at 0', () => {
  expect(binomialTail(0, 20, 0.3)).toBe(1);
  expect(binomialTail(21, 20, 0.3)).toBe(0);
});

test('the probabilities sum to 1 and have the mean n p, whatever n and p', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3000 }),
      fc.double({ min: 0.001, max: 0.999, noNaN: true }),
      (trials, probability) => {
        const probabilities = binomialProbabilities(trials, probability);
        const sum = probabilities.reduce((total, value) => total + value, 0);
        const mean = probabilities.reduce((total, value, k) => total + k * value, 0);
        expect(Math.abs(sum - 1)).toBeLessThan(1e-10);
        expect(Math.abs(mean / (trials * probability) - 1)).toBeLessThan(1e-9);
      },
    ),
    { seed: 5, numRuns: 50 },
  );
});
