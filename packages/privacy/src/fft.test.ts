import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFft } from './fft.ts';

const sizes = fc.integer({ min: 1, max: 7 }).map((bits) => 2 ** bits);
const vectors = sizes.chain((size) => {
  const part = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), {
    minLength: size,
    maxLength: size,
  });
  return fc.tuple(part, part);
});

const reversed = (k: number, size: number): number => {
  let result = 0;
  for (let bit = 1, back = size / 2; back >= 1; bit *= 2, back /= 2) {
    if (k & bit) result += back;
  }
  return result;
};

test('gives the sums of the definition, in reversed order of bits', () => {
  fc.assert(
    fc.property(vectors, ([x, y]) => {
      const size = x.length;
      const re = Float64Array.from(x);
      const im = Float64Array.from(y);
      createFft(size).transform(re, im);
      for (let k = 0; k < size; k++) {
        let reSum = 0;
        let imSum = 0;
        for (let j = 0; j < size; j++) {
          const angle = (-2 * Math.PI * ((j * k) % size)) / size;
          reSum += (x[j] as number) * Math.cos(angle) - (y[j] as number) * Math.sin(angle);
          imSum += (x[j] as number) * Math.sin(angle) + (y[j] as number) * Math.cos(angle);
        }
        expect(re[reversed(k, size)]).toBeCloseTo(reSum, 10);
        expect(im[reversed(k, size)]).toBeCloseTo(imSum, 10);
      }
    }),
    { seed: 3, numRuns: 60 },
  );
});

test('keeps to its error bound there and back, on a long vector', () => {
  const size = 2 ** 15;
  const fft = createFft(size);
  const x = Float64Array.from({ length: size }, (_, i) => Math.sin(i * i) + 0.3);
  const re = x.slice();
  const im = new Float64Array(size);
  fft.transform(re, im);
  fft.invert(re, im);
  const norm = (values: Float64Array) => Math.hypot(...values);
  const error = norm(re.map((value, i) => value - (x[i] as number))) + norm(im);
  expect(error).toBeLessThan(2 * fft.relativeError * norm(x));
  expect(error).toBeGreaterThan(0);
});

test('multiplies polynomials', () => {
  const fft = createFft(8);
  const a = [Float64Array.of(2, 3, 0, 5, 0, 0, 0, 0), new Float64Array(8)] as const;
  const b = [Float64Array.of(7, 0, 11, 0, 0, 0, 0, 0), new Float64Array(8)] as const;
  fft.transform(...a);
  fft.transform(...b);
  const re = a[0].map(
    (x, k) => x * (b[0][k] as number) - (a[1][k] as number) * (b[1][k] as number),
  );
  const im = a[0].map(
    (x, k) => x * (b[1][k] as number) + (a[1][k] as number) * (b[0][k] as number),
  );
  fft.invert(re, im);
  for (const [i, wanted] of [14, 21, 22, 68, 0, 55, 0, 0].entries()) {
    expect(re[i]).toBeCloseTo(wanted, 12);
  }
});

test.each([0, 1, 3, 48, 2.5, -4, Number.NaN, 2 ** 27])('refuses size %d', (size) => {
  expect(() => createFft(size)).toThrow(RangeError);
});

test('refuses vectors of another length', () => {
  const fft = createFft(8);
  expect(() => fft.transform(new Float64Array(8), new Float64Array(16))).toThrow(RangeError);
  expect(() => fft.invert(new Float64Array(4), new Float64Array(8))).toThrow(RangeError);
});
