/** What can go wrong between a person and the node. Codes are stable; `hint` says what to do about it. */
export type NodeErrorCode =
  | 'USAGE'
  | 'CONFIG'
  | 'FOLDER_EXISTS'
  | 'FOLDER_MISSING'
  | 'FOLDER_IN_USE'
  | 'STUDY_MISSING'
  | 'STUDY_EXISTS'
  | 'NOT_ADMITTED'
  | 'NOT_IN_ROSTER'
  | 'ROSTER_FILE'
  | 'ADDRESS_IN_USE'
  | 'DATA'
  | 'ENGINE_UNUSABLE'
  | 'NOT_ANSWERED'
  | 'STATE_UNKNOWN'
  | 'NOT_WITNESSED'
  | 'NOT_PROVEN'
  | 'FILE_EXISTS'
  | 'BUNDLE_INCOMPLETE'
  | 'BUNDLE_UNREADABLE'
  | 'ROLLED_BACK'
  | 'DISK_FULL';

export class NodeError extends Error {
  override readonly name = 'NodeError';
  readonly code: NodeErrorCode;
  /** One line that tells the reader what to do next. */
  readonly hint: string;
  constructor(code: NodeErrorCode, message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}
