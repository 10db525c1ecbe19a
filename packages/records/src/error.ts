/**
 * - `ENVELOPE_SIZE`: an envelope (or a body to be signed) is larger than {@link MAX_ENVELOPE_BYTES}.
 * - `CBOR`: bytes are not the one canonical dag-cbor form of a plain value, or go past a limit.
 * - `SCHEMA`: a value is well-formed but not what this kind of record holds.
 * - `PAYLOAD_TYPE`: the payload type is not ours, or names another kind than the record.
 * - `SITE_ID`: a text is not the PeerId of a usable Ed25519 key.
 * - `SIGNER`: the signer of an envelope is not the author of its record.
 * - `SIGNATURE`: the strict Ed25519 verification says no.
 * - `KEY_FILE_EXISTS`, `KEY_FILE_MISSING`, `KEY_FILE_MODE`, `KEY_FILE_CONTENT`: the key file cannot be written or trusted.
 */
export type RecordErrorCode =
  | 'CBOR'
  | 'ENVELOPE_SIZE'
  | 'KEY_FILE_CONTENT'
  | 'KEY_FILE_EXISTS'
  | 'KEY_FILE_MISSING'
  | 'KEY_FILE_MODE'
  | 'PAYLOAD_TYPE'
  | 'SCHEMA'
  | 'SIGNATURE'
  | 'SIGNER'
  | 'SITE_ID';

/** What went wrong with a record, an envelope or a key; branch on `code`. Messages never hold secret bytes. */
export class RecordError extends Error {
  override readonly name = 'RecordError';
  readonly code: RecordErrorCode;
  constructor(code: RecordErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
