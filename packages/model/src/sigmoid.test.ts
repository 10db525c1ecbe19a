import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sigmoidInPlace } from './sigmoid.ts';

function sigmoid(value: number): number {
  return sigmoidInPlaceOf(value)[0] as number;
}

function sigmoidInPlaceOf(...values: number[]): Float32Array {
  const result = Float32Array.from(values);
  sigmoidInPlace(result);
  return result;
}

test('is 1 / (1 + exp(−x)) to float32’s rounding', () => {
  fc.assert(
    fc.property(fc.double({ min: -60, max: 60, noNaN: true }), (drawn) => {
      const x = Math.fround(drawn);
      // Half a unit in the last place below 1, and the table's own error.
      expect(Math.abs(sigmoid(x) - 1 / (1 + Math.exp(-x)))).toBeLessThan(2 ** -25 + 3e-9);
    }),
    { seed: 6, numRuns: 2000 },
  );
});

test('never falls', () => {
  const steps = sigmoidInPlaceOf(...Array.from({ length: 9001 }, (_, i) => (i - 4500) / 200));
  for (let i = 1; i < steps.length; i++) {
    expect(steps[i]).toBeGreaterThanOrEqual(steps[i - 1] as number);
  }
});

test('goes to 0 and 1, and keeps NaN', () => {
  expect(sigmoid(Number.NEGATIVE_INFINITY)).toBeLessThan(1e-8);
  expect(sigmoid(Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(0);
  expect(sigmoid(Number.POSITIVE_INFINITY)).toBe(1);
  expect(sigmoid(0)).toBe(0.5);
  expect(sigmoid(Number.NaN)).toBeNaN();
});
