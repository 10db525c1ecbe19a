import { publicKeyOf, type SiteId, type SiteKey, sign, verifyStrictly } from '@consilium/records';
import { ClientError } from './error.ts';

/** What a site signs about one of its answers. */
export interface AnswerClaim {
  /** Path and query as they were asked for, from the slash on. */
  readonly target: string;
  /** 200 for a part of a whole (206) as well. */
  readonly status: number;
  /** The asker's, or null when there was none. */
  readonly nonce: string | null;
  readonly contentType: string;
  /** SHA-256 of the whole body, 32 bytes; of the whole file, where only a part of it was sent. */
  readonly digest: Uint8Array;
}

/** Names of the headers. */
export const signatureHeader = 'consilium-signature';
export const nonceHeader = 'consilium-nonce';
/** RFC 9530: the digest of the whole, whatever part of it is sent. */
export const digestHeader = 'repr-digest';

/** What a nonce is made of: so that nothing else can be slipped into what is signed. */
export const noncePattern: RegExp = /^[A-Za-z0-9_-]{16,64}$/;

/** The header's value for an answer. Only its digest is hashed into what is signed, so that the length of the body costs nothing here. */
export function signAnswer(key: SiteKey, claim: AnswerClaim): string {
  const signature = Buffer.from(sign(claimText(claim), key.secretKey)).toString('base64');
  return `site=${key.id}; signature=${signature}`;
}

/**
 * Checks that `site` signed just this answer to just this question, strictly.
 *
 * @param header the value of `consilium-signature`, or null when there is none
 * @throws {ClientError} `SIGNATURE`.
 */
export function verifyAnswer(header: string | null, site: SiteId, claim: AnswerClaim): void {
  const [, signer = '', encoded = ''] =
    /^site=([1-9A-HJ-NP-Za-km-z]{52}); signature=([A-Za-z0-9+/]{86}==)$/.exec(header ?? '') ?? [];
  if (signer === '') throw unsigned(`the answer to ${claim.target} bears no signature`);
  if (signer !== site) throw unsigned(`the answer is signed by ${signer}, wanted ${site}`);
  const signature = Buffer.from(encoded, 'base64');
  if (!verifyStrictly(claimText(claim), signature, publicKeyOf(site))) {
    throw unsigned(`the signature is not one by ${site} of the answer to ${claim.target}`);
  }
}

/** The value of `repr-digest` for a SHA-256. */
export function formatDigest(digest: Uint8Array): string {
  return `sha-256=:${Buffer.from(digest).toString('base64')}:`;
}

/** Reads {@link formatDigest}; null for anything else. */
export function parseDigest(header: string | null): Uint8Array | null {
  const [, encoded] = /^sha-256=:([A-Za-z0-9+/]{43}=):$/.exec(header ?? '') ?? [];
  return encoded === undefined ? null : new Uint8Array(Buffer.from(encoded, 'base64'));
}

/**
 * Seven lines, each with its newline. The first is of no other thing that a site's key signs, and none of the others can hold a newline: two
 * answers never share a text.
 */
function claimText({ target, status, nonce, contentType, digest }: AnswerClaim): Uint8Array {
  const lines = [
    'consilium/answer/1',
    'GET',
    target,
    String(status),
    nonce ?? '-',
    contentType,
    Buffer.from(digest).toString('hex'),
  ];
  if (lines.some((line) => line.includes('\n'))) {
    throw new RangeError('no part of an answer’s claim holds a newline');
  }
  return new TextEncoder().encode(lines.map((line) => `${line}\n`).join(''));
}

function unsigned(message: string): ClientError {
  return new ClientError('SIGNATURE', message);
}
