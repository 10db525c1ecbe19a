/**
 * Why the network refused or gave up. Stable: callers branch on it.
 *
 * - `FRAME_TOO_LARGE`, `FRAME_MALFORMED`, `PROTOCOL_VIOLATION`: a peer sent what the protocol forbids.
 * - `TIMEOUT`, `STREAM_CLOSED`: a peer stopped answering, or the line broke.
 * - `NOT_CONNECTED`: there is no open connection to the member.
 * - `NOT_STARTED`: the call needs a started network.
 * - `LISTEN_FAILED`: a listening address cannot be used (an occupied port, an unknown interface).
 * - `BAD_ADDRESS`: an address is not a multiaddr, or names another site.
 * - `BLOB_TOO_LARGE`: the asked size is over the limit. `BLOB_UNAVAILABLE`: no member delivered it.
 * - `BLOB_MISMATCH`: delivered bytes do not have the promised digest.
 */
export type NetworkErrorCode =
  | 'FRAME_TOO_LARGE'
  | 'FRAME_MALFORMED'
  | 'PROTOCOL_VIOLATION'
  | 'TIMEOUT'
  | 'STREAM_CLOSED'
  | 'NOT_CONNECTED'
  | 'NOT_STARTED'
  | 'LISTEN_FAILED'
  | 'BAD_ADDRESS'
  | 'BLOB_TOO_LARGE'
  | 'BLOB_UNAVAILABLE'
  | 'BLOB_MISMATCH';

/** What every function of this package throws for anything but a caller's mistake. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
  readonly code: NetworkErrorCode;
  constructor(code: NetworkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whether `error` shows that the peer, and not the line or this site, is at fault. */
export function isViolation(error: unknown): boolean {
  return (
    error instanceof NetworkError &&
    (error.code === 'FRAME_TOO_LARGE' ||
      error.code === 'FRAME_MALFORMED' ||
      error.code === 'PROTOCOL_VIOLATION' ||
      error.code === 'BLOB_MISMATCH')
  );
}
