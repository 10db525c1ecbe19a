import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs } from './backoff.ts';
import { manualClock } from './manual-clock.ts';
import { createTokenBucket } from './token-bucket.ts';

test('never lets more pass than the burst and the rate allow', () => {
  const steps = fc.array(fc.tuple(fc.nat(50), fc.nat(2_000)), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (taken) => {
      const clock = manualClock();
      const began = clock.now();
      const bucket = createTokenBucket(clock, { perSecond: 10, burst: 30 });
      let passed = 0;
      for (const [amount, pauseMs] of taken) {
        passed += bucket.tryTake(amount) ? amount : 0;
        expect(passed).toBeLessThanOrEqual(30 + ((clock.now() - began) * 10) / 1000 + 1e-9);
        clock.advance(pauseMs);
      }
    }),
    { seed: 2, numRuns: 100 },
  );
});

test('an amount above the burst waits as long as it is worth', () => {
  const clock = manualClock();
  const bucket = createTokenBucket(clock, { perSecond: 10, burst: 30 });
  expect(bucket.take(30)).toBe(0);
  expect(bucket.take(50)).toBe(5_000);
  clock.advance(5_000);
  expect(bucket.take(0)).toBe(0);
  expect(bucket.take(1)).toBe(100);
});

test('a clock that is set back neither fills nor drains', () => {
  const clock = manualClock();
  const bucket = createTokenBucket(clock, { perSecond: 10, burst: 30 });
  bucket.take(30);
  clock.advance(-10_000);
  expect(bucket.tryTake(1)).toBe(false);
  clock.advance(100);
  expect(bucket.tryTake(1)).toBe(true);
});

test('the pause between dials doubles up to its cap, within half and one and a half', () => {
  const range = { baseMs: 500, capMs: 30_000 };
  const lowest = (): Uint8Array => new Uint8Array(4);
  const highest = (): Uint8Array => new Uint8Array(4).fill(255);
  expect([0, 1, 2, 6, 60].map((attempt) => backoffMs(lowest, attempt, range))).toEqual([
    250, 500, 1_000, 15_000, 15_000,
  ]);
  expect(backoffMs(highest, 60, range)).toBeCloseTo(45_000, 4);
});
