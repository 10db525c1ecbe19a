import type { PrivacyEvent } from './event.ts';
import { logMoment } from './rdp-moment.ts';

/**
 * Which cohort the released values are drawn from: the one that has the patient whom the other lacks (`remove` takes her out), or the one
 * that lacks her.
 */
export type Direction = 'add' | 'remove';

/**
 * The privacy loss of one step, seen along the axis t = x / σ of the noise: the loss is ± `logRatio(t)`, with + for `remove`.
 *
 * logRatio(t) = log(1 − q + q exp(t/σ − 1/(2σ²))) increases with t, from log(1 − q).
 */
export interface LossAxis {
  logRatio(t: number): number;
  /** Where logRatio is `value`; −Infinity where it is larger everywhere. */
  inverse(value: number): number;
  /** Every t but those of probability `tailMass` at each end, under the cohort that releases; or hardly more. */
  ends(direction: Direction, tailMass: number): { low: number; high: number };
}

/** The loss of one of the event's steps. */
export function lossAxis({ sampleRate, noiseMultiplier }: PrivacyEvent): LossAxis {
  const q = sampleRate;
  const sigma = noiseMultiplier;
  return {
    logRatio(t) {
      const v = (t - 0.5 / sigma) / sigma;
      return q === 1 || v > 600 ? v + Math.log(q) : Math.log1p(q * Math.expm1(v));
    },
    inverse(value) {
      return sigma * exponentAt(value) + 0.5 / sigma;
    },
    ends(direction, tailMass) {
      // The upper tail of the standard normal beyond z is at most exp(−z²/2) / 2.
      const z = Math.sqrt(-2 * Math.log(2 * tailMass));
      return { low: -z, high: direction === 'remove' ? z + 1 / sigma : z };
    },
  };

  function exponentAt(value: number): number {
    if (q === 1) return value;
    if (value > 30) return value - Math.log(q) + Math.log1p(-(1 - q) * Math.exp(-value));
    const excess = Math.expm1(value) / q;
    return excess > -1 ? Math.log1p(excess) : -Infinity;
  }
}

/**
 * log E[exp(tilt · L)] of the privacy loss L of everything in `history` together, at any real tilt. Divided by a positive `tilt` it is the
 * Rényi divergence of order tilt + 1 in that direction.
 */
export function lossLogMoment(
  history: readonly PrivacyEvent[],
  direction: Direction,
  tilt: number,
): number {
  const power = direction === 'remove' ? 1 + tilt : -tilt;
  return history.reduce(
    (sum, { sampleRate, noiseMultiplier, steps }) =>
      sum + steps * logMoment(sampleRate, noiseMultiplier, power),
    0,
  );
}
