import { binomialProbabilities, tailSum } from './binomial.ts';
import type { Guesses } from './guesses.ts';

/**
 * How likely at least that many right guesses are, at most, if the audited mechanism is (ε, δ)-differentially private
 * towards adding or removing one canary. At most 1.
 *
 * @param epsilon at least 0.
 * @param delta in [0, 1].
 * @see Steinke, Nasr and Jagielski 2023, Privacy Auditing with One (1) Training Run, Theorem 5.2 and appendix D
 */
export function oneRunPValue(
  { canaries, guesses, correct }: Guesses,
  epsilon: number,
  delta: number,
): number {
  const accuracy = 1 / (1 + Math.exp(-epsilon)); // of randomised response, the best that ε alone allows
  const probabilities = binomialProbabilities(guesses, accuracy);
  let steepest = 0; // max over i of P[correct > X >= correct − i] / i
  let below = 0;
  for (let i = 1; i <= correct; i++) {
    below += probabilities[correct - i] ?? 0;
    steepest = Math.max(steepest, below / i);
  }
  return Math.min(1, tailSum(probabilities, correct) + 2 * canaries * delta * steepest);
}

/**
 * The largest ε that the guesses refute with the given confidence: the mechanism is not (ε, δ)-differentially private
 * for any smaller one. 0 when not even ε = 0 is refuted; at most 30.
 *
 * One run is one test: choose the number of guesses before.
 *
 * @see Steinke, Nasr and Jagielski 2023, appendix D
 */
export function oneRunEpsilon(guesses: Guesses, delta: number, confidence: number): number {
  return largestRefuted(30, (epsilon) => oneRunPValue(guesses, epsilon, delta) < 1 - confidence);
}

/** The largest value in [0, limit] that is refuted, to 1e-9 of the limit, when all below a refuted one are; 0 when none is. */
export function largestRefuted(limit: number, isRefuted: (value: number) => boolean): number {
  if (!isRefuted(0)) return 0;
  let low = 0;
  let high = limit;
  for (let step = 0; step < 30; step++) {
    const middle = (low + high) / 2;
    if (isRefuted(middle)) low = middle;
    else high = middle;
  }
  return low;
}
