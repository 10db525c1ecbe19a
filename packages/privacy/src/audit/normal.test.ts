import fc from 'fast-check';
import { expect, test } from 'vitest';
import { normalCdf, normalQuantile } from './normal.ts';

// From mpmath with 30 digits.
test.each([
  [-37, 5.725571222524577e-300],
  [-8.25, 7.919726314642477e-17],
  [-2.6, 0.00466118802371875],
  [-2.4, 0.00819753592459613],
  [-0.3, 0.3820885778110474],
  [0.7, 0.758036347776927],
  [1.3, 0.9031995154143897],
  [2.45, 0.9928571892647285],
  [3.1, 0.9990323967867816],
])('Φ(%d) is %d', (x, probability) => {
  expect(Math.abs(normalCdf(x) / probability - 1)).toBeLessThan(1e-12);
});

test.each([
  [1e-200, -30.20559417957964],
  [3e-7, -4.991217139907697],
  [0.0123, -2.247626755795138],
  [0.3, -0.5244005127080408],
  [0.77, 0.7388468491852136],
  [0.9991, 3.121389149359866],
])('the quantile of %d is %d', (probability, x) => {
  expect(Math.abs(normalQuantile(probability) / x - 1)).toBeLessThan(1e-10);
});

test('the quantile undoes Φ, whatever the probability', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-250, max: 1 - 1e-9, noNaN: true }), (probability) => {
      const back = normalCdf(normalQuantile(probability));
      expect(Math.abs(back / probability - 1)).toBeLessThan(1e-10);
    }),
    { seed: 3 },
  );
});

test.each([
  [0, -Infinity],
  [1, Infinity],
  [-0.1, Number.NaN],
  [1.1, Number.NaN],
  [Number.NaN, Number.NaN],
])('the quantile of the edge %d is %d', (probability, x) => {
  expect(normalQuantile(probability)).toBe(x);
});

test.each([
  [Number.NaN, Number.NaN],
  [-Infinity, 0],
  [Infinity, 1],
  [0, 0.5],
])('Φ of the edge %d is %d', (x, probability) => {
  expect(normalCdf(x)).toBe(probability);
});
