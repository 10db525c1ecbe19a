import { expect, test } from 'vitest';
import { chiSquareCdf } from './chi-square.ts';

// For an even number of degrees of freedom the upper tail is e^(−x/2) Σ (x/2)^k / k!, k < n/2: computed with 80 and 120 digits.
test.each([
  [20, 5, 2.77352094620836e-4],
  [20, 10, 3.182805730620481e-2],
  [20, 20, 5.420702855281478e-1],
  [20, 50, 9.997785233617512e-1],
  [1_000, 800, 8.109381078799159e-7],
  [10_000, 9_323, 4.918315970297953e-7],
  [10_000, 9_340, 9.258053405629397e-7],
  [10_000, 10_500, 9.997520526320106e-1],
  [1_000_000, 993_300, 1.028379047266507e-6],
])('of %i squares the sum is at most %f with probability %f', (freedom, sum, probability) => {
  expect(chiSquareCdf(freedom, sum) / probability).toBeCloseTo(1, 9);
});

test('rises from 0 to 1, across the seam between its two ways', () => {
  for (const freedom of [20, 333, 40_001]) {
    const sums = Array.from({ length: 400 }, (_, i) => (freedom * i) / 200);
    const values = sums.map((sum) => chiSquareCdf(freedom, sum));
    expect(values[0]).toBe(0);
    expect(values.every((value, i) => i === 0 || value >= (values[i - 1] as number))).toBe(true);
    expect(values.at(-1)).toBeGreaterThan(0.99);
    expect(values.at(-1)).toBeLessThanOrEqual(1);
  }
});

test.each([
  [19, 5],
  [20.5, 5],
  [20, -1],
])('has no value for %f and %f', (freedom, sum) => {
  expect(() => chiSquareCdf(freedom, sum)).toThrow(RangeError);
});
