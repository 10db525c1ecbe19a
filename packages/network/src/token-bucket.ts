import type { Clock } from './clock.ts';

/** How much may pass: `perSecond` sustained, `burst` at once. */
export interface Rate {
  perSecond: number;
  burst: number;
}

/** Lets `rate.perSecond` units pass each second, and `rate.burst` at once. */
export interface TokenBucket {
  /**
   * Takes `amount` and says how many milliseconds to wait before using it (0: at once). The bucket
   * may go into debt, so that one amount above the burst is slowed rather than refused for ever.
   */
  take(amount: number): number;
  /** Takes `amount` if that many are there now; otherwise takes nothing and says false. */
  tryTake(amount: number): boolean;
}

/** A full bucket. @throws {RangeError} unless both figures of `rate` are positive. */
export function createTokenBucket(clock: Clock, rate: Rate): TokenBucket {
  if (!(rate.perSecond > 0 && rate.burst > 0)) {
    throw new RangeError(`a rate must be positive, got ${rate.perSecond}/s, burst ${rate.burst}`);
  }
  let tokens = rate.burst;
  let filledAt = clock.now();
  const fill = (): void => {
    const now = clock.now();
    // A clock that was set back must not drain the bucket.
    const elapsedMs = Math.max(0, now - filledAt);
    filledAt = now;
    tokens = Math.min(rate.burst, tokens + (elapsedMs * rate.perSecond) / 1000);
  };
  return {
    take(amount) {
      fill();
      tokens -= amount;
      return tokens >= 0 ? 0 : (-tokens / rate.perSecond) * 1000;
    },
    tryTake(amount) {
      fill();
      if (tokens < amount) {
        return false;
      }
      tokens -= amount;
      return true;
    },
  };
}
