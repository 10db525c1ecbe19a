import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gaussianEpsilon, gaussianTradeOff } from './trade-off.ts';

// Corollary 2.13 of Dong, Roth and Su 2019, solved with mpmath.
test.each([
  [0.59, 1e-5, 2.3991471088472],
  [1, 1e-6, 4.8865541174622],
  [2.5, 0.01, 8.2417894020678],
  [0.2, 0.001, 0.45392015574171],
  [6, 1e-5, 42.836008102682],
])('a Gaussian of μ = %d at δ = %d has ε = %d', (mu, delta, epsilon) => {
  expect(Math.abs(gaussianEpsilon(mu, delta) / epsilon - 1)).toBeLessThan(1e-9);
});

test.each([
  [0, 1e-5],
  [0.1, 0.3],
])('a Gaussian of μ = %d needs no ε at δ = %d', (mu, delta) => {
  expect(gaussianEpsilon(mu, delta)).toBe(0);
});

test('no trade-off asks for more than the probability itself, and less privacy asks for less', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true }),
      fc.double({ min: 0, max: 5, noNaN: true }),
      (probability, mu) => {
        const asked = gaussianTradeOff(1.7 * mu)(probability);
        expect(asked).toBeLessThanOrEqual(probability * (1 + 1e-9));
        expect(gaussianTradeOff(2.3 * mu)(probability)).toBeLessThanOrEqual(asked * (1 + 1e-9));
      },
    ),
    { seed: 13 },
  );
});

test('a Gaussian is (ε, δ)-private for its own ε, with equality somewhere', () => {
  const [mu, delta] = [0.9, 0.003];
  const epsilon = gaussianEpsilon(mu, delta);
  // P[E] ≤ exp(ε) P′[E] + δ for every event E, where P′[E] is least.
  const slack = Array.from({ length: 999 }, (_, i) => (i + 1) / 1000).map(
    (probability) => Math.exp(epsilon) * gaussianTradeOff(mu)(probability) + delta - probability,
  );
  expect(Math.min(...slack)).toBeGreaterThan(0);
  expect(Math.min(...slack)).toBeLessThan(1e-5);
});
