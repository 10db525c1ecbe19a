import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defaultOrders, rdp, rdpCurve } from './rdp.ts';

const { CONSILIUM_SHARED } = process.env;
const shared = CONSILIUM_SHARED ?? join(import.meta.dirname, '../../../../shared');
const vectorFile = join(shared, 'vectors/rdp_mp40_sample.csv');

const relativeError = (got: number, wanted: number): number => Math.abs(got / wanted - 1);

test.skipIf(!existsSync(vectorFile))('has nine digits of 40-digit values', () => {
  const lines = readFileSync(vectorFile, 'utf8').trim().split('\n').slice(1);
  for (const line of lines) {
    const [q = Number.NaN, sigma = Number.NaN, order = Number.NaN, wanted = Number.NaN] = line
      .split(',')
      .map(Number);
    expect(relativeError(rdp(q, sigma, order), wanted), line).toBeLessThan(1e-9);
  }
  expect(lines.length).toBeGreaterThan(10);
});

// mpmath 1.4, 60 digits: the binomial sum at whole orders, tanh-sinh quadrature of the definition between them
test.each([
  [1e-5, 4, 1.001, 3.2279455443763965e-12],
  [0.01, 10, 1.001, 5.029604562557918e-7],
  [0.8979091716371104, 50, 1.5, 0.00024187720250333207],
  [0.9, 10, 1.001, 0.004054256658422483],
  [0.5, 2.5, 1.01, 0.020601907106969748],
  [0.1, 0.5, 1.9, 0.34037032238458553],
  [0.999, 1, 3.3, 1.6487085144953315],
  [0.7758376499599652, 1.5, 63.5, 13.853238124540532],
  [0.01, 0.5, 20.5, 36.15866724037149],
  [0.001, 0.3, 20.5, 106.62688974944614],
  [0.0025, 0.5, 200.5, 394.9785030491471],
  [0.5, 0.1, 1000.25, 50011.806159152],
  [1e-5, 50, 2, 4.000800106677255e-14],
  [0.0025, 1.5, 3, 5.255152028046031e-6],
  [0.0025, 0.5, 3, 0.0017696052450368509],
  [0.5, 2.5, 32, 1.8518471685081284],
  [0.0001, 4, 512, 6.7716354787029545],
  [0.001, 0.5945788395181664, 32, 38.128010670724514],
  [0.2, 0.15, 8, 175.9384201635674],
  [0.01, 0.5, 256, 507.3767703230865],
  [0.9, 0.15, 256, 5688.7831151947385],
])('has nine digits at q = %d, σ = %d, order %d', (q, sigma, order, wanted) => {
  expect(relativeError(rdp(q, sigma, order), wanted)).toBeLessThan(1e-9);
});

test('is the binomial sum at whole orders', () => {
  const parameters = fc.tuple(
    fc.double({ min: Math.log(1e-6), max: Math.log(0.999), noNaN: true }).map(Math.exp),
    fc.double({ min: Math.log(0.3), max: Math.log(60), noNaN: true }).map(Math.exp),
    fc.integer({ min: 2, max: 120 }),
  );
  fc.assert(
    fc.property(parameters, ([q, sigma, order]) => {
      // The sum of all terms without their exponential is one: only what the exponential adds is summed, and no digits are lost.
      let terms: number[] = [];
      let logBinomial = 0;
      for (let k = 1; k <= order; k++) {
        logBinomial += Math.log((order - k + 1) / k);
        const log = logBinomial + k * Math.log(q) + (order - k) * Math.log1p(-q);
        const exponent = (k * (k - 1)) / (2 * sigma ** 2);
        terms.push(exponent === 0 ? -Infinity : log + exponent + Math.log(-Math.expm1(-exponent)));
      }
      const largest = Math.max(...terms);
      terms = terms.map((log) => Math.exp(log - largest));
      const log = largest + Math.log(terms.reduce((sum, term) => sum + term, 0));
      const wanted = (log > 40 ? log : Math.log1p(Math.exp(log))) / (order - 1);
      expect(relativeError(rdp(q, sigma, order), wanted)).toBeLessThan(1e-9);
    }),
    { seed: 20, numRuns: 300 },
  );
});

test('is α / (2 σ²) where every patient is drawn', () => {
  for (const order of [1.0625, 2.5, 33, 4097]) {
    for (const sigma of [0.1, 1.7, 45]) {
      expect(relativeError(rdp(1, sigma, order), order / (2 * sigma ** 2))).toBeLessThan(1e-14);
    }
  }
});

test('grows with the order and the sample rate, and falls with the noise', () => {
  const part = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.tuple(part, part, part), ([a, b, c]) => {
      const q = 10 ** (-5 * a);
      const sigma = 0.1 * 500 ** b;
      const order = 1 + 10 ** (7 * c - 3);
      const here = rdp(q, sigma, order);
      const slack = 1 + 1e-9;
      expect(here).toBeGreaterThan(0);
      expect(rdp(q, sigma, 1 + (order - 1) * 1.01) * slack).toBeGreaterThanOrEqual(here);
      expect(rdp(q * 0.99, sigma, order)).toBeLessThanOrEqual(here * slack);
      expect(rdp(q, sigma * 1.01, order)).toBeLessThanOrEqual(here * slack);
      expect(here).toBeLessThanOrEqual(rdp(1, sigma, order) * slack);
    }),
    { seed: 21, numRuns: 300 },
  );
});

test.each([
  [1e-5, 0.1, 1e6],
  [1e-300, 2, 31],
  [0.3, 1e-3, 7.5],
  [0.3, 1e5, 1.5],
  [0.999999, 0.04, 1e9],
])('stays finite and positive at q = %d, σ = %d, order %d', (q, sigma, order) => {
  const value = rdp(q, sigma, order);
  expect(value).toBeGreaterThanOrEqual(0);
  expect(value).toBeLessThanOrEqual(rdp(1, sigma, order) * (1 + 1e-14));
});

test.each([
  [0, 1.5, 2],
  [1.01, 1.5, 2],
  [Number.NaN, 1.5, 2],
  [0.1, 0, 2],
  [0.1, -1.5, 2],
  [0.1, Infinity, 2],
  [0.1, 1.5, 1],
  [0.1, 1.5, 0.5],
  [0.1, 1.5, Infinity],
  [0.1, 1.5, Number.NaN],
])('refuses q = %d, σ = %d, order %d', (q, sigma, order) => {
  expect(() => rdp(q, sigma, order)).toThrow(RangeError);
});

test('a curve holds one value for each of its orders', () => {
  const orders = [1.5, 2.25, 40];
  const curve = rdpCurve(0.02, 1.3, orders);
  expect(curve.rdp).toEqual(orders.map((order) => rdp(0.02, 1.3, order)));
  expect(() => rdpCurve(0.02, 1.3, [])).toThrow(RangeError);
});

test('the default orders rise, and hold those of Opacus and dp_accounting', () => {
  for (const [i, order] of defaultOrders.slice(1).entries()) {
    expect(order).toBeGreaterThan(defaultOrders[i] as number);
  }
  const tenths = Array.from({ length: 99 }, (_, i) => (11 + i) / 10);
  const whole = Array.from({ length: 53 }, (_, i) => 11 + i);
  expect(defaultOrders).toEqual(expect.arrayContaining([...tenths, ...whole]));
});
