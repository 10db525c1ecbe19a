/**
 * Why a study cannot be folded at all, or an audit bundle not written or read. What a single site does wrong is a finding, never an error.
 *
 * - `BUNDLE_FORMAT`: bytes are not an audit bundle of this version in its one form.
 * - `BUNDLE_DAMAGED`: an audit bundle ends early, or a file in it does not have the hash that its index says.
 * - `BUNDLE_INCOMPLETE`: a payload that an audit bundle has to hold is not here.
 */
export type StudyErrorCode =
  | 'BAD_MANIFEST'
  | 'NO_MANIFEST'
  | 'NO_INITIAL_WEIGHTS'
  | 'HEADS_UNKNOWN'
  | 'BUNDLE_FORMAT'
  | 'BUNDLE_DAMAGED'
  | 'BUNDLE_INCOMPLETE';

export class StudyError extends Error {
  override readonly name = 'StudyError';
  readonly code: StudyErrorCode;
  constructor(code: StudyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
