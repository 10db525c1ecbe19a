import { expect, test } from 'vitest';
import { together } from './together.ts';

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

test('runs until it is told to stop', async () => {
  const stop = new AbortController();
  const ended: string[] = [];
  const running = together(stop.signal, [
    (signal) => untilAborted(signal).then(() => void ended.push('a')),
    (signal) => untilAborted(signal).then(() => void ended.push('b')),
  ]);
  expect(ended).toEqual([]);
  stop.abort();
  await running;
  expect(ended).toEqual(['a', 'b']);
});

test('stops all when one fails, and fails as the first did, when all have ended', async () => {
  let isEnded = false;
  const running = together(new AbortController().signal, [
    async () => {
      throw new Error('the disk is full');
    },
    async (signal) => {
      await untilAborted(signal);
      isEnded = true;
      throw new Error('because of the other');
    },
  ]);
  await expect(running).rejects.toThrow('the disk is full');
  expect(isEnded).toBe(true);
});
