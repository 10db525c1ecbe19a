import { noiseMultiplier, sampleRate } from './privacy-policy.ts';
import { type Check, integer, number, object } from './schema.ts';

/**
 * A site sets privacy aside before it reads a patient: what is reserved is spent, whether an update follows or not.
 * The parameters say the whole event, so that anyone can compose a site's history from its log alone.
 */
export interface ReserveBody {
  /** The round that the training is for, from 1. */
  readonly round: number;
  readonly sampleRate: number;
  readonly noiseMultiplier: number;
  /** Private steps, 1…10^6. */
  readonly steps: number;
  /** What the site says that it has spent with this reservation, at the study's δ: a claim, which the fold recomputes. */
  readonly epsilon: number;
}

/** Checks a reservation's body. @throws {RecordError} `SCHEMA`. */
export const reserveBody: Check<ReserveBody> = object({
  round: integer(1, 100_000),
  sampleRate,
  noiseMultiplier,
  steps: integer(1, 1_000_000),
  epsilon: number(0, 1e9),
});
