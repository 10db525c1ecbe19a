import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rdpCurve } from './rdp.ts';
import { rdpEpsilon } from './rdp-epsilon.ts';

const curve = rdpCurve(0.04, 1.5);
const other = rdpCurve(0.2, 3.5);

test('is the proposition, at the one order there is', () => {
  const orders = [7.5];
  const spent = [{ curve: { orders, rdp: [0.03] }, steps: 40 }];
  const wanted = 40 * 0.03 + Math.log(6.5 / 7.5) - Math.log(1e-5 * 7.5) / 6.5;
  expect(rdpEpsilon(spent, 1e-5)).toBeCloseTo(wanted, 13);
});

test('takes the order that gives least', () => {
  const orders = [2, 5, 9.25, 30];
  const whole = rdpEpsilon([{ curve: rdpCurve(0.04, 1.5, orders), steps: 900 }], 1e-6);
  const single = orders.map((order) =>
    rdpEpsilon([{ curve: rdpCurve(0.04, 1.5, [order]), steps: 900 }], 1e-6),
  );
  expect(whole).toBe(Math.min(...single));
});

test('adds up: in parts as at once, in any order', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4000 }), fc.integer({ min: 1, max: 4000 }), (a, b) => {
      const atOnce = rdpEpsilon([{ curve, steps: a + b }], 1e-5);
      const inParts = rdpEpsilon(
        [
          { curve, steps: a },
          { curve, steps: b },
        ],
        1e-5,
      );
      expect(Math.abs(inParts / atOnce - 1)).toBeLessThan(1e-12);
      const mixed = [
        { curve, steps: a },
        { curve: other, steps: b },
      ];
      expect(rdpEpsilon(mixed, 1e-5)).toBeCloseTo(rdpEpsilon(mixed.toReversed(), 1e-5), 9);
      expect(rdpEpsilon(mixed, 1e-5)).toBeGreaterThan(rdpEpsilon(mixed.slice(1), 1e-5));
    }),
    { seed: 4, numRuns: 50 },
  );
});

test('is never negative, and 0 for nothing', () => {
  expect(rdpEpsilon([{ curve: rdpCurve(1e-4, 40), steps: 3 }], 0.4)).toBe(0);
  expect(rdpEpsilon([], 1e-5)).toBe(0);
});

test.each([0, 1, -0.5, 2, Number.NaN])('refuses δ = %d', (delta) => {
  expect(() => rdpEpsilon([{ curve, steps: 3 }], delta)).toThrow(RangeError);
});

test.each([0, -3, 2.5, Number.NaN, Infinity])('refuses %d steps', (steps) => {
  expect(() => rdpEpsilon([{ curve, steps }], 1e-5)).toThrow(RangeError);
});

test('refuses curves of different orders', () => {
  const spent = [
    { curve: rdpCurve(0.04, 1.5, [3, 5]), steps: 2 },
    { curve: rdpCurve(0.04, 1.5, [3, 6]), steps: 2 },
  ];
  expect(() => rdpEpsilon(spent, 1e-5)).toThrow(RangeError);
});
