import type { Clock } from './clock.ts';

/** A clock for tests that stands still until it is moved. */
export interface ManualClock extends Clock {
  /** Moves the clock by `ms` and runs what falls due, in order. */
  advance(ms: number): void;
}

/** A clock that shows 1,000,000. */
export function manualClock(): ManualClock {
  let nowMs = 1_000_000;
  const timers = new Set<{ dueMs: number; callback: () => void }>();
  return {
    now: () => nowMs,
    after: (delayMs, callback) => {
      const timer = { dueMs: nowMs + delayMs, callback };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    advance: (ms) => {
      nowMs += ms;
      const due = [...timers]
        .filter(({ dueMs }) => dueMs <= nowMs)
        .sort((a, b) => a.dueMs - b.dueMs);
      for (const timer of due) {
        timers.delete(timer);
        timer.callback();
      }
    },
  };
}
