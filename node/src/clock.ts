import type { Clock } from '@consilium/network';

/** The machine's own clock and timers: the only place where real time enters. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
