import fc from 'fast-check';
import { expect, test } from 'vitest';
import { valuesAtRanks } from './order-statistics.ts';

// Close ones, so that the upper halves of their bits agree, and all kinds of float32, infinities and zeros among them.
const close = fc.integer({ min: -300, max: 300 }).map((k) => 1 + k * 2 ** -22);
const any = fc.float({ noNaN: true });

test('gives what stands at each rank after a sort', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(close, any), { minLength: 1, maxLength: 60 }),
      fc.array(fc.nat(), { maxLength: 6 }),
      (list, drawn) => {
        const values = Float32Array.from(list);
        const ranks = drawn.map((rank) => rank % values.length);
        const sorted = values.slice().sort();
        expect(valuesAtRanks(values, ranks)).toEqual(ranks.map((rank) => sorted[rank]));
      },
    ),
    { seed: 4, numRuns: 500 },
  );
});

test('reads a part of a buffer, and leaves it as it is', () => {
  const whole = Float32Array.of(9, 3, -2, 5, -7, 9);
  const part = whole.subarray(1, 5);
  expect(valuesAtRanks(part, [3, 0, 1, 1])).toEqual([5, -7, -2, -2]);
  expect([...whole]).toEqual([9, 3, -2, 5, -7, 9]);
});

test.each([
  [Number.NaN, 2],
  [Number.POSITIVE_INFINITY, 2],
  [Number.NEGATIVE_INFINITY, 0],
])('%s shows at an end', (value, rank) => {
  expect(valuesAtRanks(Float32Array.of(5, value, -3), [rank])).toEqual([value]);
});

test.each([-1, 3, 1.5, Number.NaN])('refuses rank %s of three values', (rank) => {
  expect(() => valuesAtRanks(Float32Array.of(5, 6, 7), [rank])).toThrow(RangeError);
});
