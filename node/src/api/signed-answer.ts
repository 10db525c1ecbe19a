import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  digestHeader,
  formatDigest,
  nonceHeader,
  noncePattern,
  type Problem,
  signAnswer,
  signatureHeader,
} from '@consilium/client';
import type { SiteKey } from '@consilium/records';
import { byteRange } from './byte-range.ts';
import { ApiError, type ApiErrorCode, statusOf } from './error.ts';

/** A whole answer, before it is signed. */
export interface Whole {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Refusals that come before anything is looked up: to sign them would cost more than to ask. */
const unsigned: ReadonlySet<ApiErrorCode> = new Set([
  'ROLE',
  'TOKEN_NEEDED',
  'TOKEN_UNKNOWN',
  'TOO_MANY_REQUESTS',
]);

/** Sends an answer with the site's signature over it and over the question. */
export function sendSigned(
  key: SiteKey,
  request: IncomingMessage,
  response: ServerResponse,
  whole: Whole,
): void {
  response.writeHead(whole.status, {
    ...plainHeaders(whole),
    ...signatureOf(key, request, whole),
    'content-length': whole.body.length,
  });
  response.end(whole.body);
}

/**
 * Sends a file whose content `etag` names, or the part that is asked for, or that nothing has changed. The signature is over the whole, so that a client
 * that puts parts together can check what came of it.
 *
 * @see RFC 9110 §13, §14
 */
export function sendFile(
  key: SiteKey,
  request: IncomingMessage,
  response: ServerResponse,
  file: { readonly contentType: string; readonly body: Uint8Array; readonly etag: string },
): void {
  const { contentType, body, etag } = file;
  const headers = { etag, 'accept-ranges': 'bytes', 'cache-control': 'private, no-cache' };
  const { 'if-none-match': known, 'if-range': unless } = request.headers;
  if (known !== undefined && (known === '*' || known.split(/\s*,\s*/).includes(etag))) {
    response.writeHead(304, headers);
    response.end();
    return;
  }
  const whole: Whole = { status: 200, contentType, body, headers };
  const range =
    unless === undefined || unless === etag ? byteRange(request.headers.range, body.length) : null;
  if (range === null) {
    sendSigned(key, request, response, whole);
    return;
  }
  if (range === 'unsatisfiable') {
    throw new ApiError('RANGE', `there are ${body.length} bytes`, {
      headers: { 'content-range': `bytes */${body.length}` },
    });
  }
  const { from, to } = range;
  response.writeHead(206, {
    ...plainHeaders(whole),
    ...signatureOf(key, request, whole),
    'content-range': `bytes ${from}-${to - 1}/${body.length}`,
    'content-length': to - from,
  });
  response.end(body.subarray(from, to));
}

/** Sends why a question is not answered: RFC 9457. */
export function sendProblem(
  key: SiteKey,
  request: IncomingMessage,
  response: ServerResponse,
  { code, message, headers }: ApiError,
): void {
  const problem: Problem = {
    type: `urn:consilium:problem:${code}`,
    title: titles[code],
    status: statusOf[code],
    detail: message,
    code,
  };
  const whole: Whole = {
    status: problem.status,
    contentType: 'application/problem+json',
    body: new TextEncoder().encode(JSON.stringify(problem)),
    headers,
  };
  if (!unsigned.has(code)) {
    sendSigned(key, request, response, whole);
    return;
  }
  response.writeHead(whole.status, {
    ...plainHeaders(whole),
    'content-length': whole.body.length,
  });
  response.end(whole.body);
}

const titles: Readonly<Record<ApiErrorCode, string>> = {
  BAD_PARAMETER: 'a parameter is not what it should be',
  FORMAT_UNAVAILABLE: 'the state cannot be had in this format',
  INTERNAL: 'the node could not answer',
  METHOD: 'only GET is answered',
  NOT_FOUND: 'there is no such thing to ask for',
  NOT_READY: 'the study’s beginning is not here yet',
  RANGE: 'there is no such part',
  RECORD_UNKNOWN: 'the record is not known here',
  ROLE: 'the token is for something else',
  STATE_UNKNOWN: 'the state is not known here',
  TOKEN_NEEDED: 'a token is needed',
  TOKEN_UNKNOWN: 'the token is not valid',
  TOO_MANY_LISTENERS: 'too many listen already',
  TOO_MANY_REQUESTS: 'too many questions',
};

/** The nonce of a request, or null when it has none that may be signed. */
export function nonceOf(request: IncomingMessage): string | null {
  const nonce = request.headers[nonceHeader];
  return typeof nonce === 'string' && noncePattern.test(nonce) ? nonce : null;
}

function plainHeaders({ contentType, headers }: Whole): Record<string, string> {
  return {
    'cache-control': 'no-store',
    'content-type': contentType,
    'x-content-type-options': 'nosniff',
    ...headers,
  };
}

function signatureOf(
  key: SiteKey,
  request: IncomingMessage,
  { status, contentType, body }: Whole,
): Record<string, string> {
  const digest = createHash('sha256').update(body).digest();
  const claim = {
    target: request.url ?? '/',
    status,
    nonce: nonceOf(request),
    contentType,
    digest,
  };
  return { [digestHeader]: formatDigest(digest), [signatureHeader]: signAnswer(key, claim) };
}
