/** Why something private could not be done. Codes are stable. */
export type PrivacyErrorCode =
  /** A policy's δ, σ, q, clip norm, grid or cap is outside of what it may be. */
  | 'BAD_POLICY'
  /** A site has fewer patients than it declared: each would weigh more than was promised. Nothing was read. */
  | 'COHORT_TOO_SMALL'
  /** The next reservation would pass the cap. Nothing was read. */
  | 'BUDGET_EXHAUSTED'
  /** No noise multiplier in the range that is searched reaches the wanted ε. */
  | 'NO_NOISE_MULTIPLIER';

export class PrivacyError extends Error {
  override readonly name = 'PrivacyError';
  readonly code: PrivacyErrorCode;
  constructor(code: PrivacyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
