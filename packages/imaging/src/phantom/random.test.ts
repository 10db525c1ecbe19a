import { expect, test } from 'vitest';
import { createRandom } from './random.ts';

test('gives the same numbers for the same seed, and others for another', () => {
  const draw = (seed: number): number[] => {
    const random = createRandom(seed);
    return Array.from({ length: 8 }, () => random.uniform());
  };
  expect(draw(12)).toEqual(draw(12));
  expect(draw(13)).not.toEqual(draw(12));
});

test('a fork depends on the seed and its name, not on what was drawn before', () => {
  const fresh = createRandom(5);
  const used = createRandom(5);
  for (let i = 0; i < 100; i++) used.uniform();
  expect(used.fork('noise').uniform()).toBe(fresh.fork('noise').uniform());
  expect(fresh.fork('noise').uniform()).not.toBe(fresh.fork('vessels').uniform());
  expect(fresh.fork('noise').uniform()).not.toBe(createRandom(6).fork('noise').uniform());
});

test('normal numbers have the mean and the spread that are asked for', () => {
  const random = createRandom(1);
  const values = Array.from({ length: 40_000 }, () => random.normal(3, 2));
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  // Five standard errors: 5 · 2 / √40000 and 5 · 4 · √(2 / 40000).
  expect(Math.abs(mean - 3)).toBeLessThan(0.05);
  expect(Math.abs(variance - 4)).toBeLessThan(0.142);
});

test('integers cover their range evenly, both ends included', () => {
  const random = createRandom(2);
  const counts = [0, 0, 0];
  for (let i = 0; i < 3000; i++) {
    const at = random.integer(4, 6) - 4;
    counts[at] = (counts[at] ?? 0) + 1;
  }
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(130);
});

test.each([-1, 1.5, Number.NaN, 2 ** 32])('refuses the seed %s', (seed) => {
  expect(() => createRandom(seed)).toThrow(RangeError);
});
