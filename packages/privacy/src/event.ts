/**
 * `steps` releases of the Poisson-subsampled Gaussian mechanism with the same parameters: what an accountant composes.
 * Adjacency: one patient added or removed.
 */
export interface PrivacyEvent {
  /** Probability q with which each patient is drawn into a step, in (0, 1]. */
  readonly sampleRate: number;
  /** Standard deviation σ of the noise divided by the clip norm; positive. */
  readonly noiseMultiplier: number;
  /** A positive whole number. */
  readonly steps: number;
}
