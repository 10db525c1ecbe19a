import type { Clock, Network } from '@consilium/network';
import { attempt } from './attempt.ts';
import type { Logger } from './logger.ts';

/** How long to wait before a payload is asked for again that no member could give. */
const againMs = 5_000;
const mostAtOnce = 4;

interface PayloadFetchesComponents {
  readonly network: Pick<Network, 'fetchBlob'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Pulls payloads that records name and the disk lacks, a few at once and in the background: a payload that nobody has must hold up nothing.
 * `onSettled` is called whenever one has come, or has failed to.
 */
export class PayloadFetches {
  readonly #components: PayloadFetchesComponents;
  readonly #onSettled: () => void;
  readonly #running = new Set<string>();
  readonly #againAt = new Map<string, number>();
  #failure: { readonly error: unknown } | null = null;

  constructor(components: PayloadFetchesComponents, onSettled: () => void) {
    this.#components = components;
    this.#onSettled = onSettled;
  }

  /**
   * Starts what of `wanted` is not on its way yet.
   * @throws what ended an earlier fetch for good: a full disk.
   */
  start(wanted: readonly { digest: string; bytes: number }[], signal: AbortSignal): void {
    if (this.#failure !== null) throw this.#failure.error;
    for (const { digest, bytes } of wanted) {
      const isDue = this.#components.clock.now() >= (this.#againAt.get(digest) ?? 0);
      if (!isDue || this.#running.has(digest) || this.#running.size >= mostAtOnce) continue;
      this.#running.add(digest);
      this.#fetch(digest, bytes, signal)
        .catch((error) => {
          this.#failure = { error };
        })
        .finally(this.#onSettled);
    }
  }

  async #fetch(digest: string, bytes: number, signal: AbortSignal): Promise<void> {
    const { network, clock, logger } = this.#components;
    const isHere = await attempt('fetch', { logger, signal }, () =>
      network.fetchBlob(digest, bytes, { signal }),
    );
    this.#running.delete(digest);
    if (isHere) this.#againAt.delete(digest);
    else this.#againAt.set(digest, clock.now() + againMs);
  }
}
