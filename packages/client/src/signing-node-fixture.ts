import { createHash } from 'node:crypto';
import { keyFromSeed, type SiteKey } from '@consilium/records';
import {
  digestHeader,
  formatDigest,
  nonceHeader,
  signAnswer,
  signatureHeader,
} from './answer-signature.ts';
import type { ClientComponents } from './exchange.ts';

/** What a test's node says to a request. */
export interface Said {
  readonly status?: number;
  readonly contentType?: string;
  /** The whole; what is signed. */
  readonly body: Uint8Array | string;
  /** What is sent of it. @default all */
  readonly sent?: ReadableStream<Uint8Array> | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** @default true */
  readonly isSigned?: boolean;
}

export interface Asked {
  readonly url: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly nonce: string;
  readonly init: RequestInit;
}

/** For tests: a node that is a function, signs what it says, and remembers what it was asked. */
export class SigningNode {
  readonly key: SiteKey = keyFromSeed(new Uint8Array(32).fill(21));
  readonly asked: Asked[] = [];
  readonly address = 'http://node.example:9464';
  answer: (asked: Asked) => Said | Promise<Said>;

  constructor(answer: (asked: Asked) => Said | Promise<Said>) {
    this.answer = answer;
  }

  readonly fetch: ClientComponents['fetch'] = async (url, init) => {
    init.signal?.throwIfAborted();
    const headers = init.headers as Record<string, string>;
    const target = url.slice(this.address.length);
    const asked = { url, target, headers, nonce: headers[nonceHeader] ?? '', init };
    this.asked.push(asked);
    return this.response(asked, await this.answer(asked));
  };

  response(asked: Asked, said: Said): Response {
    const { status = 200, contentType = 'application/json', isSigned = true } = said;
    const body = typeof said.body === 'string' ? Buffer.from(said.body) : said.body;
    const digest = createHash('sha256').update(body).digest();
    const claim = {
      target: asked.target,
      status: status === 206 ? 200 : status,
      nonce: asked.nonce,
      contentType,
      digest,
    };
    const signed = {
      [digestHeader]: formatDigest(digest),
      [signatureHeader]: signAnswer(this.key, claim),
    };
    const headers = { 'content-type': contentType, ...(isSigned ? signed : {}), ...said.headers };
    return new Response((said.sent ?? body) as ConstructorParameters<typeof Response>[0], {
      status,
      headers,
    });
  }
}

/** Components on a node, with nonces that count up and pauses that end at once and are written down. */
export function componentsOn(
  node: SigningNode,
): ClientComponents & { readonly pausedMs: number[] } {
  let drawn = 0;
  const pausedMs: number[] = [];
  return {
    fetch: node.fetch,
    random: (count) => new Uint8Array(count).fill(++drawn),
    pause: async (delayMs, signal) => {
      signal?.throwIfAborted();
      pausedMs.push(delayMs);
    },
    pausedMs,
  };
}
