import type { Clock } from '@consilium/network';
import { ApiError } from './error.ts';
import { LeastRecent } from './least-recent.ts';

export interface AllowanceInit {
  /** What a client may ask for in a second, for ever. @default 10 */
  readonly perSecond?: number;
  /** What it may ask for at once. @default 60 */
  readonly burst?: number;
}

const defaultPerSecond = 10;
const defaultBurst = 60;

/** How many clients are remembered; one that is forgotten begins with a full allowance. */
const rememberedClients = 4096;

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Holds every client to its own pace, so that none keeps the node from training or from answering the others. */
export class Allowance {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new LeastRecent<Bucket>(rememberedClients);

  constructor(
    clock: Pick<Clock, 'now'>,
    { perSecond = defaultPerSecond, burst = defaultBurst }: AllowanceInit = {},
  ) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  /**
   * Takes `cost` from a client's allowance.
   * @throws {ApiError} `TOO_MANY_REQUESTS` with `Retry-After` when that much is not left; nothing is taken then.
   */
  take(client: string, cost: number): void {
    const now = this.#clock.now();
    const bucket = this.#buckets.get(client) ?? { tokens: this.#burst, filledAt: now };
    // A clock that was set back must not drain the bucket.
    const elapsedMs = Math.max(0, now - bucket.filledAt);
    const tokens = Math.min(this.#burst, bucket.tokens + (elapsedMs * this.#perSecond) / 1000);
    const left = tokens - cost;
    this.#buckets.set(client, { tokens: left < 0 ? tokens : left, filledAt: now });
    if (left >= 0) return;
    const seconds = Math.ceil(-left / this.#perSecond);
    throw new ApiError('TOO_MANY_REQUESTS', `too fast: ask again in ${seconds} s`, {
      headers: { 'retry-after': String(seconds) },
    });
  }
}
