import type { PolicyTerms } from './policy.ts';
import { type RdpCurve, rdpCurve } from './rdp.ts';
import { rdpEpsilon } from './rdp-epsilon.ts';

/** What a study's steps cost, and how much of it one site may spend. */
export interface Budget {
  readonly cap: number;
  /** ε after so many private steps, at the study's δ, by the pessimistic accountant, rounded up to a billionth; 0 for none. */
  epsilonAfter(steps: number): number;
  /** Whether `more` steps after `steps` stay within the cap. */
  affords(steps: number, more: number): boolean;
}

/**
 * The budget of a policy. Its accountant is RDP, which is never below PLD by more than the latter's own slack: whoever is held to it spends at most
 * the cap by either.
 *
 * The same on every machine but for the last digits of logarithms, which rounding up takes away: all sites must draw the line at the same step.
 */
export function createBudget({
  epsilon: cap,
  delta,
  sampleRate,
  noiseMultiplier,
}: Pick<PolicyTerms, 'epsilon' | 'delta' | 'sampleRate' | 'noiseMultiplier'>): Budget {
  let curve: RdpCurve | null = null;
  const epsilonAfter = (steps: number): number => {
    if (steps === 0) return 0;
    curve ??= rdpCurve(sampleRate, noiseMultiplier);
    return Math.ceil(rdpEpsilon([{ curve, steps }], delta) * 1e9) / 1e9;
  };
  return {
    cap,
    epsilonAfter,
    affords: (steps, more) => epsilonAfter(steps + more) <= cap,
  };
}
