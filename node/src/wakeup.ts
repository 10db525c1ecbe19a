import type { Clock } from '@consilium/network';

/** A doorbell: `wake` lets the present wait, or else the next one, return at once. */
export class Wakeup {
  #rung = false;
  #ring: (() => void) | null = null;

  wake(): void {
    this.#rung = true;
    this.#ring?.();
  }

  /** Resolves when rung, after `timeoutMs`, or when `signal` aborts, whichever is first. Never rejects. */
  wait(clock: Clock, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(timeoutMs, resolve);
    const onAbort = (): void => resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#ring = resolve;
    if (this.#rung || signal.aborted) resolve();
    return promise.finally(() => {
      cancel();
      signal.removeEventListener('abort', onAbort);
      this.#ring = null;
      this.#rung = false;
    });
  }
}
