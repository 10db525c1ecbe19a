import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';
import { Wakeup } from './wakeup.ts';

/** Time that passes only when it is told to. */
class ManualClock {
  #now = 0;
  readonly #timers = new Set<{ at: number; callback: () => void }>();

  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const timer of this.#timers) {
      if (timer.at > this.#now) continue;
      this.#timers.delete(timer);
      timer.callback();
    }
  }
}

const forever = new AbortController().signal;
const anHour = 3_600_000;

test('a wait ends when its time is over, and not before', async () => {
  const clock = new ManualClock();
  const seen: string[] = [];
  const waiting = new Wakeup().wait(clock, 500, forever).then(() => seen.push('over'));
  clock.advance(499);
  await Promise.resolve();
  expect(seen).toEqual([]);
  clock.advance(1);
  await waiting;
  expect(seen).toEqual(['over']);
});

test('a ring ends the present wait and takes its timer away', async () => {
  const clock = new ManualClock();
  const wakeup = new Wakeup();
  const waiting = wakeup.wait(clock, anHour, forever);
  wakeup.wake();
  await waiting;
  expect(clock.pending).toBe(0);
});

test('a ring while nobody waits ends the next wait, and only that one', async () => {
  const clock = new ManualClock();
  const wakeup = new Wakeup();
  wakeup.wake();
  wakeup.wake();
  await wakeup.wait(clock, anHour, forever);
  let isOver = false;
  const second = wakeup.wait(clock, 1000, forever).then(() => {
    isOver = true;
  });
  clock.advance(999);
  await Promise.resolve();
  expect(isOver).toBe(false);
  clock.advance(1);
  await second;
});

test('an abort ends the wait without rejecting, before it and during it', async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const waiting = new Wakeup().wait(clock, anHour, controller.signal);
  controller.abort(new Error('stopped'));
  await expect(waiting).resolves.toBeUndefined();
  await expect(new Wakeup().wait(clock, anHour, controller.signal)).resolves.toBeUndefined();
  expect(clock.pending).toBe(0);
});

test('the machine’s clock tells the time, and a timer that was cancelled never fires', async () => {
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
  const fired: string[] = [];
  await new Promise<void>((resolve) => {
    systemClock.after(1, () => fired.push('cancelled'))();
    systemClock.after(5, resolve);
  });
  expect(fired).toEqual([]);
});
