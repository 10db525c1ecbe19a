export type ModelErrorCode =
  /** A task that is not of the described form: an unknown key, a wrong type, a value out of bounds. */
  | 'TASK_INVALID'
  /** A vector of weights, or an optimizer state, that does not belong to the task's network. */
  | 'LAYOUT_MISMATCH'
  /** A cohort without a patient, or without one lesion or lung to learn from. */
  | 'EMPTY_COHORT'
  /** A patient without the lung or lesion mask that the work needs. */
  | 'MASK_MISSING'
  /** A scan whose numbers are not of the announced size, or not finite. */
  | 'SCAN_INVALID'
  /** A loss, a gradient or a weight became NaN or infinite; nothing of the step is kept. */
  | 'NON_FINITE';

/** What went wrong in this package; `code` is stable, the message is for people and names no patient. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
  readonly code: ModelErrorCode;
  constructor(code: ModelErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
