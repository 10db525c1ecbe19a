import { expect, test } from 'vitest';
import { Allowance } from './allowance.ts';
import { StillClock } from './clock-fixture.ts';

const tooMany = (seconds: string): unknown =>
  expect.objectContaining({
    code: 'TOO_MANY_REQUESTS',
    headers: { 'retry-after': seconds },
  });

test('lets a burst pass, then holds to the pace and says how long to wait', () => {
  const clock = new StillClock();
  const allowance = new Allowance(clock, { perSecond: 2, burst: 7 });
  for (let i = 0; i < 7; i++) allowance.take('a', 1);
  expect(() => allowance.take('a', 1)).toThrow(tooMany('1'));
  expect(() => allowance.take('a', 7)).toThrow(tooMany('4'));
  clock.advance(499);
  expect(() => allowance.take('a', 1)).toThrow(tooMany('1'));
  clock.advance(1);
  allowance.take('a', 1);
  expect(() => allowance.take('a', 1)).toThrow(tooMany('1'));
});

test('counts each client by itself, and never above the burst', () => {
  const clock = new StillClock();
  const allowance = new Allowance(clock, { perSecond: 2, burst: 3 });
  allowance.take('a', 3);
  allowance.take('b', 3);
  clock.advance(3_600_000);
  allowance.take('a', 3);
  expect(() => allowance.take('a', 1)).toThrow(tooMany('1'));
});

test('takes nothing for what it refuses', () => {
  const allowance = new Allowance(new StillClock(), { perSecond: 1, burst: 5 });
  for (let i = 0; i < 9; i++) expect(() => allowance.take('a', 6)).toThrow(tooMany('1'));
  allowance.take('a', 5);
});

test('remembers a bounded number of clients', () => {
  const allowance = new Allowance(new StillClock(), { perSecond: 1, burst: 2 });
  allowance.take('first', 2);
  for (let i = 0; i < 4096; i++) allowance.take(`client ${i}`, 2);
  allowance.take('first', 2);
  expect(() => allowance.take('client 4095', 1)).toThrow(tooMany('1'));
});
