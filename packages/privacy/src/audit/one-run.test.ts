import fc from 'fast-check';
import { expect, test } from 'vitest';
import { binomialTail } from './binomial.ts';
import { oneRunEpsilon, oneRunPValue } from './one-run.ts';

test.each([
  // Steinke, Nasr and Jagielski 2023 (arXiv 2305.08846v1): appendix D, and section 7 with figure 11.
  [1000, 100, 75, 1e-4, 0.95, 0.673],
  [100_000, 1510, 1439, 1e-5, 0.95, 2.675],
  // jax_privacy's auditing_test, epsilon_one_run at shift 1: its best of 386 thresholds, each tested at 0.05 / 386.
  [20_000, 3376, 2807, 1e-6, 1 - 0.05 / 386, 1.13346],
])(
  '%i canaries, %i guesses, %i right, δ %d: ε is refuted up to the published %d',
  (canaries, guesses, correct, delta, confidence, epsilon) => {
    const bound = oneRunEpsilon({ canaries, guesses, correct }, delta, confidence);
    expect(Math.abs(bound - epsilon)).toBeLessThan(1e-3); // the papers print three digits, one of them cut off
  },
);

test('the p-value at δ = 0 is the binomial tail of randomised response', () => {
  const guesses = { canaries: 300, guesses: 70, correct: 52 };
  const tail = binomialTail(52, 70, Math.exp(0.8) / (1 + Math.exp(0.8)));
  expect(oneRunPValue(guesses, 0.8, 0)).toBeCloseTo(tail, 12);
});

test('more δ, more ε and fewer right guesses never make the p-value smaller', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 120 }),
      fc.nat(119),
      fc.double({ min: 0, max: 4, noNaN: true }),
      fc.double({ min: 0, max: 0.01, noNaN: true }),
      (count, nat, epsilon, delta) => {
        const correct = 1 + (nat % count);
        const of = (right: number, e: number, d: number): number =>
          oneRunPValue({ canaries: 400, guesses: count, correct: right }, e, d);
        const p = of(correct, epsilon, delta) * (1 - 1e-9);
        expect(of(correct, epsilon + 0.3, delta)).toBeGreaterThanOrEqual(
          of(correct, epsilon, 0) * (1 - 1e-9),
        );
        expect(of(correct, epsilon, delta + 0.002)).toBeGreaterThanOrEqual(p);
        expect(of(correct - 1, epsilon, delta)).toBeGreaterThanOrEqual(p);
      },
    ),
    { seed: 11 },
  );
});

test('guessing refutes nothing, and being always right is bounded', () => {
  expect(oneRunEpsilon({ canaries: 900, guesses: 200, correct: 100 }, 1e-5, 0.95)).toBe(0);
  expect(oneRunEpsilon({ canaries: 900, guesses: 0, correct: 0 }, 1e-5, 0.95)).toBe(0);
  const all = oneRunEpsilon({ canaries: 900, guesses: 200, correct: 200 }, 0, 0.95);
  // accuracy^200 = 0.05
  expect(all).toBeCloseTo(Math.log(0.05 ** (1 / 200) / (1 - 0.05 ** (1 / 200))), 6);
});
