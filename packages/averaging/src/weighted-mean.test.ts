import fc from 'fast-check';
import { expect, test } from 'vitest';
import { divideHalfToEven, RunningMean, weightedMean } from './weighted-mean.ts';

const updates = fc.array(
  fc.record({
    weight: fc.integer({ min: 1, max: 1000 }),
    update: fc
      .array(fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 }), { minLength: 4, maxLength: 4 })
      .map((a) => Int32Array.from(a)),
  }),
  { minLength: 1, maxLength: 9 },
);

test('is the exact rational mean, rounded half to even, as big integers compute it', () => {
  fc.assert(
    fc.property(updates, (contributions) => {
      const mean = weightedMean(contributions);
      const total = contributions.reduce((sum, { weight }) => sum + BigInt(weight), 0n);
      for (let i = 0; i < 4; i++) {
        const sum = contributions.reduce(
          (s, { weight, update }) => s + BigInt(weight) * BigInt(update[i] as number),
          0n,
        );
        expect(BigInt(mean[i] as number)).toBe(halfToEven(sum, total));
      }
    }),
  );
});

test('is the same for any order of the sites', () => {
  fc.assert(
    fc.property(updates, fc.integer(), (contributions, seed) => {
      const shuffled = contributions
        .map((c, i) => [Math.sin(seed + i * 7), c] as const)
        .sort(([a], [b]) => a - b);
      expect(weightedMean(shuffled.map(([, c]) => c))).toEqual(weightedMean(contributions));
    }),
  );
});

test('comes out the same when contributions come one by one, and can be added to something', () => {
  fc.assert(
    fc.property(updates, updates, (before, contributions) => {
      const running = new RunningMean(4);
      for (const contribution of before) running.add(contribution);
      running.clear();
      expect(running.isEmpty).toBe(true);
      for (const contribution of contributions) running.add(contribution);
      expect(running.isEmpty).toBe(false);
      const mean = weightedMean(contributions);
      expect(running.value()).toEqual(mean);
      const sum = Float64Array.of(7, -7, 2 ** 40, 0);
      running.addTo(sum);
      expect([...sum]).toEqual([7, -7, 2 ** 40, 0].map((value, i) => value + (mean[i] as number)));
    }),
  );
});

test('a contribution that is refused leaves the mean as it was', () => {
  const running = new RunningMean(3);
  expect(() => running.value()).toThrow(expect.objectContaining({ code: 'NO_CONTRIBUTION' }));
  running.add({ weight: 3, update: Int32Array.of(1, 2, 3) });
  for (const weight of [0, 2 ** 22 - 2]) {
    expect(() => running.add({ weight, update: Int32Array.of(9, 9, 9) })).toThrow(/weight/);
  }
  expect(() => running.addTo(new Float64Array(4))).toThrow(/3 and 4/);
  expect([...running.value()]).toEqual([1, 2, 3]);
});

test('divides as big integers do, up to the largest sums', () => {
  const largest = fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 });
  const divisors = fc.integer({ min: 1, max: 2 ** 22 });
  fc.assert(
    fc.property(largest, divisors, fc.integer({ min: 0, max: 3 }), (sum, divisor, halves) => {
      // Near a half, where one rounding too many would show.
      const near = Math.round(sum / divisor) * divisor + (halves === 0 ? 0 : divisor / 2);
      for (const dividend of [sum, Math.trunc(near) + halves - 1]) {
        if (!Number.isSafeInteger(dividend)) continue;
        const wanted = halfToEven(BigInt(dividend), BigInt(divisor));
        expect(BigInt(divideHalfToEven(dividend, divisor))).toBe(wanted);
      }
    }),
    { numRuns: 5_000 },
  );
});

test.each([
  [5, 2, 2],
  [7, 2, 4],
  [-5, 2, -2],
  [-7, 2, -4],
  [4, 3, 1],
  [5, 3, 2],
  [-1, 2, 0],
  [2 ** 53 - 1, 2 ** 22, 2 ** 31],
])('divides %i by %i to %i', (dividend, divisor, quotient) => {
  expect(divideHalfToEven(dividend, divisor) + 0).toBe(quotient);
});

test.each([
  ['nothing', [], 'NO_CONTRIBUTION'],
  [
    'updates of two lengths',
    [of(1, 3), { weight: 1, update: new Int32Array(4) }],
    'LENGTH_MISMATCH',
  ],
  ['a weight of zero', [of(0, 3)], 'BAD_WEIGHT'],
  ['a fractional weight', [of(1.5, 3)], 'BAD_WEIGHT'],
  ['weights whose sums could round', [of(2 ** 22, 3), of(1, 3)], 'OUT_OF_RANGE'],
])('refuses %s', (_, contributions, code) => {
  expect(() => weightedMean(contributions)).toThrow(expect.objectContaining({ code }));
});

function of(weight: number, length: number): { weight: number; update: Int32Array } {
  return { weight, update: new Int32Array(length) };
}

function halfToEven(sum: bigint, total: bigint): bigint {
  const floor = sum / total - (sum % total < 0n ? 1n : 0n);
  const twice = 2n * (sum - floor * total);
  if (twice > total || (twice === total && floor % 2n !== 0n)) return floor + 1n;
  return floor;
}
