import { expect, test } from 'vitest';
import { createTurns } from './turns.ts';

test('runs the work of one key in order, and of other keys meanwhile', async () => {
  const inTurn = createTurns();
  const seen: string[] = [];
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = inTurn('a', async () => {
    await gate;
    seen.push('a1');
  });
  const next = inTurn('a', async () => seen.push('a2'));
  await inTurn('b', async () => seen.push('b'));
  release();
  await Promise.all([slow, next]);
  expect(seen).toEqual(['b', 'a1', 'a2']);
});

test('goes on after work that failed, which only its caller hears of', async () => {
  const inTurn = createTurns();
  const failed = inTurn('a', () => Promise.reject(new Error('no')));
  const next = inTurn('a', async () => 7);
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe(7);
});

test('is idle when everything asked for until then has ended', async () => {
  const inTurn = createTurns();
  const seen: number[] = [];
  const work = [1, 2, 3].map((n) => inTurn(`${n % 2}`, async () => seen.push(n)));
  await inTurn.idle();
  expect(seen.sort()).toEqual([1, 2, 3]);
  await Promise.all(work);
});
