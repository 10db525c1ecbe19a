/**
 * - `ENTRY`: an entry's reader refused the bytes, or named an author or index that cannot be stored.
 * - `GAP`: an entry lies beyond the end of its author's log; fetch what is missing first.
 * - `CHAIN`: an entry is next in its author's log, but `previous` is not the last entry's id.
 * - `DISK_FULL`: the disk has no room; nothing was changed, the same call may be tried again.
 * - `STORE`: the database or file system failed otherwise; see `cause`.
 * - `CLOSED`: the store was closed.
 * - `DIGEST_FORMAT`: a text is not a SHA-256 digest of 64 lower-case hexadecimal digits.
 * - `BLOB_DIGEST`: received bytes do not have the promised digest; they were dropped.
 * - `BLOB_SIZE`: received bytes are more or fewer than promised.
 * - `NOTE`: bytes are not a signed note in its one form, or go past a limit.
 * - `NOTE_KEY`: a text is not a verifier key of a type that is used here.
 * - `NOTE_SIGNATURE`: a note is not signed by the wanted key, or has a signature in a known key's name that does not verify.
 * - `CHECKPOINT`: a note's text is not a checkpoint, or is that of another log.
 * - `TLOG_PROOF`: bytes are not a proof of a logged leaf in its one form, or go past a limit.
 * - `INCLUSION`: a Merkle proof does not lead from the leaf to the checkpoint's root.
 * - `QUORUM`: fewer witnesses than are required cosigned a checkpoint.
 */
export type LogErrorCode =
  | 'BLOB_DIGEST'
  | 'BLOB_SIZE'
  | 'CHAIN'
  | 'CHECKPOINT'
  | 'CLOSED'
  | 'DIGEST_FORMAT'
  | 'DISK_FULL'
  | 'ENTRY'
  | 'GAP'
  | 'INCLUSION'
  | 'NOTE'
  | 'NOTE_KEY'
  | 'NOTE_SIGNATURE'
  | 'QUORUM'
  | 'STORE'
  | 'TLOG_PROOF';

/** What went wrong with a log, a blob or evidence about a log; branch on `code`. */
export class LogError extends Error {
  override readonly name = 'LogError';
  readonly code: LogErrorCode;
  constructor(code: LogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The `LogError` for a failure of the database or the file system: `DISK_FULL` where it says so, else `STORE`. */
export function storageError(doing: string, cause: unknown): LogError {
  if (cause instanceof LogError) return cause;
  const code = isDiskFull(cause) ? 'DISK_FULL' : 'STORE';
  const why = code === 'DISK_FULL' ? 'the disk is full' : 'the storage failed';
  return new LogError(code, `cannot ${doing}: ${why}`, { cause });
}

/** Node says so by code; LevelDB only in the text of its IO error, possibly a `cause` deep. */
function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) return true;
  return (
    /No space left on device|Disk quota exceeded/.test(error.message) || isDiskFull(error.cause)
  );
}
