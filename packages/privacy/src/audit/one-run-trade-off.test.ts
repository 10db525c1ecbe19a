import { expect, test } from 'vitest';
import { binomialTail } from './binomial.ts';
import { normalCdf } from './normal.ts';
import { oneRunEpsilon } from './one-run.ts';
import { oneRunMu, refutesTradeOff } from './one-run-trade-off.ts';
import { gaussianEpsilon, gaussianTradeOff } from './trade-off.ts';

test('refutes as much as jax_privacy does for its test’s shift of 1', () => {
  // auditing_test, epsilon_one_run_fdp: the best of its 386 thresholds has 406 guesses, 379 of them right.
  const guesses = { canaries: 20_000, guesses: 406, correct: 379 };
  const mu = oneRunMu(guesses, 1 - 0.05 / 386);
  expect(Math.abs(gaussianEpsilon(mu, 1e-6) / 2.164749 - 1)).toBeLessThan(1e-6);
});

test.each([
  [6, 0.4],
  [25, 0.7],
  [25, 2.1],
  [400, 0.7],
  [400, 1.6],
])(
  'never refutes at %i canaries what a Gaussian of μ = %d does more often than 1 − confidence',
  (canaries, mu) => {
    // The best guesser of independent canaries is right with probability Φ(μ/2) each.
    for (let correct = 0; correct <= canaries; correct++) {
      const often = binomialTail(correct, canaries, normalCdf(mu / 2));
      if (often < 1e-12 || often > 0.999) continue;
      const guesses = { canaries, guesses: canaries, correct };
      expect(refutesTradeOff(guesses, gaussianTradeOff(mu), 1 - often * 0.999)).toBe(false);
    }
  },
);

test('never refutes what randomised response does, and nearly all that it does not', () => {
  const guesses = { canaries: 500, guesses: 500, correct: 370 };
  const refutes = (epsilon: number, confidence: number): boolean =>
    refutesTradeOff(
      guesses,
      (p) => Math.max(p * Math.exp(-epsilon), 1 - (1 - p) * Math.exp(epsilon)),
      confidence,
    );
  const exact = oneRunEpsilon(guesses, 0, 0.95);
  expect(refutes(exact * 1.001, 0.95)).toBe(false);
  expect(refutes(exact * 0.9, 0.95)).toBe(true);
});

test('guessing refutes nothing', () => {
  expect(oneRunMu({ canaries: 900, guesses: 200, correct: 100 }, 0.95)).toBe(0);
  expect(oneRunMu({ canaries: 900, guesses: 0, correct: 0 }, 0.95)).toBe(0);
});

test('being always right refutes more, the more often', () => {
  const of = (guesses: number): number =>
    oneRunMu({ canaries: 900, guesses, correct: guesses }, 0.95);
  expect(of(9)).toBeGreaterThan(0.1);
  expect(of(90)).toBeGreaterThan(of(9));
});
