import type { Guesses } from './guesses.ts';
import { largestRefuted } from './one-run.ts';
import { gaussianTradeOff, type LeastProbability } from './trade-off.ts';

/**
 * Whether that many right guesses refute the trade-off function with the given confidence: under it, at least `correct`
 * right ones of `guesses` have a probability of at most 1 − confidence, whatever the guesser does.
 *
 * Let r_i and h_i be the expected share of canaries guessed rightly, and wrongly, in runs with at least i right guesses.
 * Flipping one canary's coin turns a right guess into a wrong one, so that h_{i−1} ≥ least(r_i). If already
 * P[at least `correct`] = 1 − confidence asks for more guesses than were made, it cannot be as large.
 *
 * @see Mahloujifar, Melis and Chaudhuri 2024, Auditing f-Differential Privacy in One Run, Algorithm 3
 */
export function refutesTradeOff(
  { canaries, guesses, correct }: Guesses,
  least: LeastProbability,
  confidence: number,
): boolean {
  const significance = 1 - confidence;
  let right = (significance * correct) / canaries;
  let wrong = (significance * (guesses - correct)) / canaries;
  for (let i = correct - 1; i >= 0; i--) {
    const more = least(right) - wrong;
    if (!(more > 0)) break; // Neither changes any more.
    wrong += more;
    right += (i / (guesses - i)) * more;
    if (right + wrong > guesses / canaries) return true;
  }
  return right + wrong > guesses / canaries;
}

/**
 * The largest μ for which the guesses refute μ-Gaussian privacy with the given confidence; 0 when none is, at most 40.
 * `gaussianEpsilon` turns it into a lower bound on ε, which holds when the mechanism's trade-off is that of a Gaussian.
 */
export function oneRunMu(guesses: Guesses, confidence: number): number {
  return largestRefuted(40, (mu) => refutesTradeOff(guesses, gaussianTradeOff(mu), confidence));
}
