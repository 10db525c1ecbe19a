/** Why a study cannot be folded at all. What a single site does wrong is a finding, never an error. */
export type StudyErrorCode = 'BAD_MANIFEST' | 'NO_MANIFEST' | 'NO_INITIAL_WEIGHTS';

export class StudyError extends Error {
  override readonly name = 'StudyError';
  readonly code: StudyErrorCode;
  constructor(code: StudyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
