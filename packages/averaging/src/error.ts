/** Why contributions could not be averaged. Codes are stable. */
export type AveragingErrorCode =
  | 'NO_CONTRIBUTION'
  | 'LENGTH_MISMATCH'
  | 'BAD_WEIGHT'
  | 'OUT_OF_RANGE';

export class AveragingError extends Error {
  override readonly name = 'AveragingError';
  readonly code: AveragingErrorCode;
  constructor(code: AveragingErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
