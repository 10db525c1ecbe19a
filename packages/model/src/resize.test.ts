import fc from 'fast-check';
import { expect, test } from 'vitest';
import { axisMap, resizePlane } from './resize.ts';

const plane = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }))
  .chain(([width, height]) =>
    fc.tuple(
      fc.constant(width),
      fc.constant(height),
      fc.array(fc.integer({ min: -1000, max: 1000 }), {
        minLength: width * height,
        maxLength: width * height,
      }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 9 }),
    ),
  );

test('every target cell is a weighted mean of source cells: nothing leaves the range', () => {
  fc.assert(
    fc.property(plane, ([width, height, values, toWidth, toHeight]) => {
      const out = resizePlane(values, axisMap(width, toWidth), axisMap(height, toHeight));
      expect(out).toHaveLength(toWidth * toHeight);
      for (const value of out) {
        expect(value).toBeGreaterThanOrEqual(Math.min(...values) - 1e-3);
        expect(value).toBeLessThanOrEqual(Math.max(...values) + 1e-3);
      }
    }),
    { seed: 3, numRuns: 300 },
  );
});

test('shrinking by area keeps the mean, at a ratio that is not whole too', () => {
  const values = Float32Array.from({ length: 35 }, (_, i) => (i * 37) % 23);
  const out = resizePlane(values, axisMap(7, 3), axisMap(5, 4));
  const mean = (list: Float32Array): number => list.reduce((a, b) => a + b, 0) / list.length;
  expect(mean(out)).toBeCloseTo(mean(values), 5);
});

test('halving takes the mean of each block of four', () => {
  expect([...resizePlane([1, 3, 5, 7, 0, 0, 2, 2], axisMap(4, 2), axisMap(2, 1))]).toEqual([1, 4]);
});

test('doubling is linear between the centres and constant outside them', () => {
  expect([...resizePlane([0, 4], axisMap(2, 4), axisMap(1, 1))]).toEqual([0, 1, 3, 4]);
});

test('the same size comes back unchanged', () => {
  const values = [5, -2, 7.5, 3, 0, 1];
  expect([...resizePlane(values, axisMap(3, 3), axisMap(2, 2))]).toEqual(values);
});

test('refuses a plane of another size', () => {
  expect(() => resizePlane([1, 2, 3], axisMap(2, 2), axisMap(2, 2))).toThrow(RangeError);
});
