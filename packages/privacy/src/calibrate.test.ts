import { expect, test } from 'vitest';
import { noiseMultiplierFor } from './calibrate.ts';
import { epsilon } from './epsilon.ts';
import { PrivacyError } from './error.ts';

// Opacus 4d0ebc8, tests/accountants_test.py, get_noise_multiplier: there to within 0.01 of ε
test.each([
  [2250, 'rdp', 1.416],
  [2000, 'rdp', 1.3562],
  [2250, 'pld', 1.34765625],
] as const)(
  'ε = 8 at q = 0.04 takes in %d steps by %s what Opacus finds',
  (steps, accountant, published) => {
    const got = noiseMultiplierFor(8, 1e-5, 0.04, steps, accountant);
    expect(Math.abs(got - published)).toBeLessThan(0.005);
  },
);

test.each([
  [0.4, 1e-6, 0.02, 300, 'rdp'],
  [3, 1e-9, 0.5, 40, 'rdp'],
  [700, 1e-4, 1, 12, 'rdp'],
  [0.013, 1e-6, 0.03, 2, 'pld'],
  [1.7, 1e-10, 0.2, 60, 'pld'],
  [9, 1e-3, 0.7, 4, 'pld'],
] as const)(
  'ε = %d at δ = %d, q = %d, %d steps by %s holds, and not with less',
  (target, delta, sampleRate, steps, accountant) => {
    const got = noiseMultiplierFor(target, delta, sampleRate, steps, accountant);
    const at = (noiseMultiplier: number) =>
      epsilon([{ sampleRate, noiseMultiplier, steps }], delta, accountant);
    expect(at(got)).toBeLessThanOrEqual(target);
    expect(at(got * (1 - 1.2e-4))).toBeGreaterThan(target);
  },
);

test('returns the end of the range where even that is enough', () => {
  expect(noiseMultiplierFor(1e6, 1e-5, 0.3, 2, 'rdp')).toBe(0.05);
});

test('says so when no noise in the range is enough', () => {
  const attempt = () => noiseMultiplierFor(1e-6, 1e-9, 0.5, 2500, 'rdp');
  expect(attempt).toThrow(PrivacyError);
  expect(attempt).toThrow(expect.objectContaining({ code: 'NO_NOISE_MULTIPLIER' }));
});

test.each([0, -1, Infinity, Number.NaN])('refuses ε = %d', (target) => {
  expect(() => noiseMultiplierFor(target, 1e-5, 0.1, 10, 'rdp')).toThrow(RangeError);
});
