import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clipToGrid, createClipGrid } from './grid-clip.ts';

/** Any float32 at all: NaN, infinities, both zeros, denormals, 3.4e38. */
const anything = fc.float();
const gradients = fc
  .oneof(
    fc.array(anything, { minLength: 1, maxLength: 40 }),
    fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 40 }),
    fc.array(fc.float({ min: -3, max: 3, noNaN: true }), { minLength: 1, maxLength: 40 }),
    fc.array(fc.constantFrom(3, -4, 5, 12, -12, 0), { minLength: 1, maxLength: 4 }),
  )
  .map((values) => Float32Array.from(values));
const gridExponents = fc.integer({ min: -126, max: 0 });
/** Clip norms in grid steps: anywhere, and right below and above whole numbers, where truncation is at its worst. */
const clipSteps = fc.oneof(
  fc.double({ min: 2 ** 10, max: 2 ** 26, noNaN: true }),
  fc.integer({ min: 2 ** 10 + 1, max: 2 ** 26 - 1 }),
  fc.integer({ min: 2 ** 10 + 1, max: 2 ** 26 - 1 }).map((whole) => whole * (1 - 2 ** -53)),
);

/** Σ x² ≤ steps², as whole numbers of 2^-84: every float64 from 2^10 on is one of 2^-42. */
function fits(clipped: Int32Array, steps: number): boolean {
  const squares = clipped.reduce((sum, x) => sum + BigInt(x) ** 2n, 0n);
  return squares << 84n <= BigInt(steps * 2 ** 42) ** 2n;
}

test('bounds the norm in whole numbers, whatever the gradient, the clip norm and the grid', () => {
  fc.assert(
    fc.property(gradients, clipSteps, gridExponents, (gradient, steps, gridExponent) => {
      const clipped = new Int32Array(gradient.length).fill(77);
      clipToGrid(gradient, createClipGrid(steps * 2 ** gridExponent, gridExponent), clipped);
      expect(fits(clipped, steps)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('keeps the direction, and the length but for the truncation of each value toward zero', () => {
  fc.assert(
    fc.property(gradients, clipSteps, gridExponents, (gradient, steps, gridExponent) => {
      const norm = Math.hypot(...gradient);
      fc.pre(Number.isFinite(norm) && norm > 0);
      const clipped = new Int32Array(gradient.length);
      clipToGrid(gradient, createClipGrid(steps * 2 ** gridExponent, gridExponent), clipped);
      const kept = Math.min(1, (steps * 2 ** gridExponent) / norm) / 2 ** gridExponent;
      for (const [i, value] of gradient.entries()) {
        const meant = Math.abs(value) * kept;
        const got = (clipped[i] ?? Number.NaN) * (Math.sign(value) || 1);
        expect(got).toBeGreaterThanOrEqual(Math.trunc(meant * (1 - 2 ** -20)));
        expect(got).toBeLessThanOrEqual(meant * (1 + 2 ** -45));
      }
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ['a norm below C stays', [1.5, -2.25, 0.126], 4, -10, [1536, -2304, 129]],
  ['a norm above C is scaled over the whole vector', [30, 0, -40], 5, -10, [3072, 0, -4096]],
  ['float32 squares would overflow', [3 * 2 ** 125, -4 * 2 ** 125], 5, -10, [3072, -4096]],
  ['float32 squares would vanish', [3 * 2 ** -149, 0], 2 ** -110, -126, [0, 0]],
  ['one value that is larger than the others', [2 ** 127, 1, -1], 3, -20, [3 * 2 ** 20, 0, 0]],
])('%s', (_, gradient, clipNorm, gridExponent, expected) => {
  const clipped = new Int32Array(gradient.length);
  clipToGrid(Float32Array.from(gradient), createClipGrid(clipNorm, gridExponent), clipped);
  for (const [i, x] of expected.entries()) {
    // A quotient such as 5/50 is rounded in float64, so that a whole number may be missed from below.
    expect(Math.abs(x - (clipped[i] ?? Number.NaN))).toBeLessThanOrEqual(1);
    expect(Math.abs(clipped[i] ?? Number.NaN)).toBeLessThanOrEqual(Math.abs(x));
  }
});

test('shortens again where rounding alone had lifted a value over the clip norm', () => {
  const steps = 2000 * (1 - 2 ** -53); // truncates to 1999
  const grid = createClipGrid(steps * 2 ** -10, -10);
  let lifted = 0;
  for (let value = 2; value < 400; value++) {
    const gradient = Float32Array.of(value);
    const clipped = new Int32Array(1);
    if (Math.trunc(value * (grid.clipNorm / value / 2 ** -10)) === 2000) lifted++;
    clipToGrid(gradient, grid, clipped);
    expect(clipped[0]).toBe(1999);
  }
  expect(lifted).toBeGreaterThan(10);
});

test.each([
  ['NaN', [1, Number.NaN, 2]],
  ['an infinity', [1, -Infinity, 2]],
  ['both infinities', [Infinity, -Infinity, 2]],
  ['zeros', [0, -0, 0]],
  ['less than one step', [2 ** -11, -(2 ** -140), 0]],
])('makes zeros of a gradient with %s, and says so', (_, gradient) => {
  const clipped = Int32Array.of(5, 6, 7);
  expect(clipToGrid(Float32Array.from(gradient), createClipGrid(4, -10), clipped)).toBe(false);
  expect([...clipped]).toEqual([0, 0, 0]);
});

test('says when anything was written, even one step', () => {
  const clipped = new Int32Array(2);
  expect(clipToGrid(Float32Array.of(0, -(2 ** -10)), createClipGrid(4, -10), clipped)).toBe(true);
  expect([...clipped]).toEqual([0, -1]);
});

test('refuses a gradient of another length', () => {
  const grid = createClipGrid(4, -10);
  expect(() => clipToGrid(new Float32Array(3), grid, new Int32Array(4))).toThrow(RangeError);
});

test.each([
  [1, -10, 2 ** 20],
  [3, -10, 9 * 2 ** 20],
  [1.1, -20, 1330409069608],
  [2000 * (1 - 2 ** -53), 0, 2000 ** 2 - 1],
  [2 ** 26, 0, 2 ** 52],
])('knows the largest squared norm of C = %d on a grid of 2^%i', (clipNorm, gridExponent, most) => {
  expect(createClipGrid(clipNorm, gridExponent).largestSquaredNorm).toBe(most);
});

test.each([
  [1, 1],
  [2 ** 12, -0.5],
  [2 ** -110, -127],
  [1, -9],
  [1, -27],
  [-1, -20],
  [Number.NaN, -20],
  [Infinity, -20],
])('refuses a clip norm of %d on a grid of 2^%d', (clipNorm, gridExponent) => {
  expect(() => createClipGrid(clipNorm, gridExponent)).toThrow(RangeError);
});
