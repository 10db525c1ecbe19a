import { createHash } from 'node:crypto';
import type { SiteId } from '@consilium/records';
import type { z } from 'zod';
import {
  digestHeader,
  nonceHeader,
  parseDigest,
  signatureHeader,
  verifyAnswer,
} from './answer-signature.ts';
import { problemAnswer } from './answers.ts';
import { ClientError, type RefusedProblem } from './error.ts';

/** What a client works with. */
export interface ClientComponents {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Cryptographic random bytes: an answer is fresh only if nobody could have known the question. */
  readonly random: (count: number) => Uint8Array;
  /** Resolves after `delayMs`, or rejects with the signal's reason. */
  readonly pause: (delayMs: number, signal?: AbortSignal) => Promise<void>;
}

/** The node that is asked. */
export interface NodeAddress {
  /** `http://host:port` or `https://host`, without a path. */
  readonly address: string;
  /** Whose signature every answer must bear. */
  readonly site: SiteId;
  /** From `consilium token create`. Not sent to anybody but `address`. @default none */
  readonly token?: string;
}

export interface AskOptions {
  readonly signal?: AbortSignal;
}

/** An answer as it came, before its body was read. */
export interface Opened {
  readonly response: Response;
  readonly nonce: string;
}

/** The most that an answer of JSON or text may have. */
export const MAX_ANSWER_BYTES: number = 16 * 1024 * 1024;

/** Sends one question. @throws {ClientError} `UNREACHABLE`. @throws the signal's reason. */
export async function open(
  { fetch, random }: ClientComponents,
  { address, token }: NodeAddress,
  target: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  const nonce = Buffer.from(random(24)).toString('base64url');
  try {
    const response = await fetch(`${address}${target}`, {
      headers: {
        ...headers,
        [nonceHeader]: nonce,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      // Another address would get the token, and is not who is asked.
      redirect: 'error',
      ...(signal === undefined ? {} : { signal }),
    });
    return { response, nonce };
  } catch (cause) {
    signal?.throwIfAborted();
    throw new ClientError('UNREACHABLE', `${address} does not answer`, { cause });
  }
}

/**
 * Asks for JSON: one question, one signed answer that fits `schema`.
 * @throws {ClientError} `UNREACHABLE`, `SIGNATURE`, `ANSWER`, `REFUSED`. @throws the signal's reason.
 */
export async function askJson<S extends z.ZodType>(
  components: ClientComponents,
  node: NodeAddress,
  target: string,
  schema: S,
  { signal }: AskOptions,
): Promise<z.infer<S>> {
  const text = await askText(components, node, target, 'application/json', { signal });
  return parsed(text, schema, target);
}

/** Asks for a text of a media type; otherwise as {@link askJson}. */
export async function askText(
  components: ClientComponents,
  node: NodeAddress,
  target: string,
  accept: string,
  { signal }: { readonly signal: AbortSignal | undefined },
): Promise<string> {
  const opened = await open(components, node, target, { accept }, signal);
  const body = await bodyOf(opened.response, MAX_ANSWER_BYTES, signal);
  if (opened.response.status !== 200) throw refusal(opened, node, target, body);
  verifySigned(opened, node.site, target, sha256(body));
  return new TextDecoder().decode(body);
}

/**
 * Checks that the site signed this answer: the digest it bears, which must be that of `body` where the whole is here.
 * @param body SHA-256 of the whole body, or null for a part of it: then the digest that is signed is returned unchecked against bytes
 * @throws {ClientError} `SIGNATURE`.
 */
export function verifySigned(
  { response, nonce }: Opened,
  site: SiteId,
  target: string,
  body: Uint8Array | null,
): Uint8Array {
  const digest = parseDigest(response.headers.get(digestHeader));
  if (digest === null) {
    throw new ClientError('SIGNATURE', `the answer to ${target} does not tell its digest`);
  }
  if (body !== null && Buffer.compare(body, digest) !== 0) {
    throw new ClientError('SIGNATURE', `the answer to ${target} is not what its digest says`);
  }
  verifyAnswer(response.headers.get(signatureHeader), site, {
    target,
    status: response.status === 206 ? 200 : response.status,
    nonce,
    contentType: response.headers.get('content-type') ?? '',
    digest,
  });
  return digest;
}

/** What a node said instead of an answer, whether signed or not. @throws {ClientError} `SIGNATURE` when a signature is there and wrong. */
export function refusal(
  opened: Opened,
  node: NodeAddress,
  target: string,
  body: Uint8Array,
): ClientError {
  const { response } = opened;
  const isSigned = response.headers.has(signatureHeader);
  if (isSigned) verifySigned(opened, node.site, target, sha256(body));
  const problem = problemOf(response, body, isSigned);
  return new ClientError('REFUSED', `${problem.status}: ${problem.detail}`, { problem });
}

/**
 * The whole body.
 * @throws {ClientError} `ANSWER` above `maxBytes`, `UNREACHABLE` when it breaks off. @throws the signal's reason.
 */
export async function bodyOf(
  response: Response,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of response.body ?? []) {
      length += part.length;
      if (length > maxBytes) {
        throw new ClientError('ANSWER', `an answer of more than ${maxBytes} bytes`);
      }
      parts.push(part);
    }
  } catch (cause) {
    if (cause instanceof ClientError) throw cause;
    signal?.throwIfAborted();
    throw new ClientError('UNREACHABLE', 'the answer broke off', { cause });
  }
  return Buffer.concat(parts);
}

/** A text that must be JSON of a schema. @throws {ClientError} `ANSWER`. */
export function parsed<S extends z.ZodType>(text: string, schema: S, target: string): z.infer<S> {
  const result = schema.safeParse(fromJson(text));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ClientError(
    'ANSWER',
    `the answer to ${target} is not what it should be: ${issue?.path.join('.')}: ${issue?.message}`,
  );
}

function problemOf(response: Response, body: Uint8Array, isSigned: boolean): RefusedProblem {
  const said = problemAnswer.safeParse(fromJson(new TextDecoder().decode(body)));
  return said.success
    ? { status: response.status, code: said.data.code, detail: said.data.detail, isSigned }
    : { status: response.status, code: null, detail: 'no reason was given', isSigned };
}

/** Undefined, which no schema accepts, for what is not JSON. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}
