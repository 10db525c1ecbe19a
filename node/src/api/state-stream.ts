import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type StateEvent, signAnswer, signatureHeader } from '@consilium/client';
import type { Clock } from '@consilium/network';
import type { SiteKey } from '@consilium/records';
import type { StudyState } from '@consilium/study';
import { ApiError } from './error.ts';
import { nonceOf } from './signed-answer.ts';

export interface StateStreamComponents {
  readonly key: SiteKey;
  readonly clock: Clock;
  /** The state as it is now. */
  readonly state: () => Pick<StudyState, 'digest' | 'missing' | 'rounds'> | null;
}

/** Clients that may listen at once, all together. */
export const mostListeners = 32;
/** Of these, as many may be one client's. */
const mostOfOne = 8;
/** A client that leaves so many bytes unread is let go; it comes back by itself. */
const mostUnreadBytes = 64 * 1024;
/** How often the state is looked at while somebody listens. */
const lookMs = 500;
const heartbeatMs = 15_000;

interface Listener {
  readonly client: string;
  readonly response: ServerResponse;
  readonly nonce: string | null;
  readonly target: string;
  sequence: number;
  /** What was last told; null before the first. */
  told: string | null;
  heardAt: number;
}

/**
 * Tells whoever listens of every new state: at once of the one that there is, then of each that comes. What comes between two looks is told as one: a state is
 * news, not a record. Each event is signed by the site, with the listener's nonce.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class StateStream {
  readonly #components: StateStreamComponents;
  readonly #listeners = new Set<Listener>();
  #cancel: (() => void) | null = null;

  constructor(components: StateStreamComponents) {
    this.#components = components;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /**
   * Lets a client listen until it goes away.
   * @param client whom its listening counts to
   * @throws {ApiError} `TOO_MANY_LISTENERS`.
   */
  listen(client: string, request: IncomingMessage, response: ServerResponse): void {
    const own = [...this.#listeners].filter((listener) => listener.client === client).length;
    if (this.#listeners.size >= mostListeners || own >= mostOfOne) {
      throw new ApiError('TOO_MANY_LISTENERS', 'too many clients, or too many of yours, listen', {
        headers: { 'retry-after': '30' },
      });
    }
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    const listener: Listener = {
      client,
      response,
      nonce: nonceOf(request),
      target: request.url ?? '/',
      sequence: 0,
      told: null,
      heardAt: this.#components.clock.now(),
    };
    this.#listeners.add(listener);
    response.once('close', () => this.#listeners.delete(listener));
    response.write(': research use only: not a medical device\n\n');
    this.#tell(listener);
    this.#cancel ??= this.#components.clock.after(lookMs, () => this.#look());
  }

  /** Lets every client go. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    for (const { response } of this.#listeners) response.end();
    this.#listeners.clear();
  }

  #look(): void {
    for (const listener of this.#listeners) this.#tell(listener);
    this.#cancel =
      this.#listeners.size === 0 ? null : this.#components.clock.after(lookMs, () => this.#look());
  }

  #tell(listener: Listener): void {
    const { clock, state } = this.#components;
    const { response } = listener;
    const now = state();
    if (now !== null && now.digest !== listener.told) {
      listener.told = now.digest;
      this.#write(listener, this.#message(listener, now));
    } else if (clock.now() - listener.heardAt >= heartbeatMs) {
      this.#write(listener, ': alive\n\n');
    }
    if (response.writableLength > mostUnreadBytes) {
      this.#listeners.delete(listener);
      response.destroy();
    }
  }

  #write(listener: Listener, text: string): void {
    listener.heardAt = this.#components.clock.now();
    listener.response.write(text);
  }

  #message(
    listener: Listener,
    { digest, rounds, missing }: Pick<StudyState, 'digest' | 'missing' | 'rounds'>,
  ): string {
    const event: StateEvent = {
      sequence: listener.sequence++,
      digest,
      rounds: rounds.length,
      isComplete: missing.length === 0,
    };
    const data = JSON.stringify(event);
    const signature = signAnswer(this.#components.key, {
      target: listener.target,
      status: 200,
      nonce: listener.nonce,
      contentType: 'application/json',
      digest: createHash('sha256').update(data).digest(),
    });
    return `event: state\nid: ${digest}\ndata: ${data}\n${signatureHeader}: ${signature}\n\n`;
  }
}
