import type { Clock } from '@consilium/network';
import { expect, test } from 'vitest';
import { handOver } from './hand-over.ts';

/** Time that passes whenever somebody waits, and a network that is connected at these times. */
function world(isConnectedAt: (ms: number) => boolean): {
  clock: Clock;
  network: Parameters<typeof handOver>[1]['network'];
} {
  let now = 0;
  const clock = {
    now: () => now,
    after: (delayMs: number, callback: () => void) => {
      now += delayMs;
      queueMicrotask(callback);
      return () => undefined;
    },
  };
  const peers = (): { connected: boolean }[] => [{ connected: isConnectedAt(now) }];
  return { clock, network: { peers } as never };
}
const never = new AbortController().signal;

test('the old key goes on until members have let go of it', async () => {
  const { clock, network } = world((ms) => ms < 90_000);
  const isSpeaking = (): boolean => clock.now() < 70_000;
  expect(await handOver('earlier', { network, clock, isSpeaking }, never)).toBe('switch');
  expect(clock.now()).toBe(91_500);
});

test('the old key has no end before its last word, which a member has heard however briefly it was there', async () => {
  const { clock, network } = world(() => false);
  const isSpeaking = (): boolean => clock.now() < 500_000;
  expect(await handOver('earlier', { network, clock, isSpeaking }, never)).toBe('switch');
  expect(clock.now()).toBe(501_500);
});

test('where the last word was said in another run, the old key has a minute to find somebody to tell', async () => {
  const { clock, network } = world(() => false);
  const isSpeaking = (): boolean => false;
  expect(await handOver('earlier', { network, clock, isSpeaking }, never)).toBe('switch');
  expect(clock.now()).toBe(60_000);
});

test('the new key is known when a member lets it in, and has a minute for that', async () => {
  const late = world((ms) => ms >= 40_000);
  const isSpeaking = (): boolean => true;
  expect(await handOver('latest', { ...late, isSpeaking }, never)).toBe('known');
  const alone = world(() => false);
  expect(await handOver('latest', { ...alone, isSpeaking }, never)).toBe('switch');
  expect(alone.clock.now()).toBe(60_000);
});

test('ends when it is told to', async () => {
  const stop = new AbortController();
  stop.abort();
  const { clock, network } = world(() => true);
  expect(await handOver('latest', { network, clock, isSpeaking: () => true }, stop.signal)).toBe(
    'stopped',
  );
});
