/**
 * Why a question over HTTP is not answered. Stable; part of every problem that is sent.
 *
 * `TOKEN_NEEDED`, `TOKEN_UNKNOWN`, `ROLE`, `TOO_MANY_REQUESTS`: who asks may not, or not now. These are not signed.
 * `NOT_FOUND`, `METHOD`, `BAD_PARAMETER`, `STATE_UNKNOWN`, `RECORD_UNKNOWN`, `RANGE`: there is no such thing.
 * `NOT_READY`, `TOO_MANY_LISTENERS`, `FORMAT_UNAVAILABLE`, `INTERNAL`: the node cannot, yet or at all.
 */
export type ApiErrorCode =
  | 'BAD_PARAMETER'
  | 'FORMAT_UNAVAILABLE'
  | 'INTERNAL'
  | 'METHOD'
  | 'NOT_FOUND'
  | 'NOT_READY'
  | 'RANGE'
  | 'RECORD_UNKNOWN'
  | 'ROLE'
  | 'STATE_UNKNOWN'
  | 'TOKEN_NEEDED'
  | 'TOKEN_UNKNOWN'
  | 'TOO_MANY_LISTENERS'
  | 'TOO_MANY_REQUESTS';

/** Each code’s HTTP status. */
export const statusOf: Readonly<Record<ApiErrorCode, number>> = {
  BAD_PARAMETER: 400,
  TOKEN_NEEDED: 401,
  TOKEN_UNKNOWN: 401,
  ROLE: 403,
  NOT_FOUND: 404,
  RECORD_UNKNOWN: 404,
  STATE_UNKNOWN: 404,
  METHOD: 405,
  FORMAT_UNAVAILABLE: 409,
  RANGE: 416,
  TOO_MANY_REQUESTS: 429,
  INTERNAL: 500,
  NOT_READY: 503,
  TOO_MANY_LISTENERS: 503,
};

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  /** Sent beside the problem. */
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    code: ApiErrorCode,
    message: string,
    options: ErrorOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message, options);
    this.code = code;
    this.headers = options.headers ?? {};
  }
}
