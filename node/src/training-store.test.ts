import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTrainingStore, type TrainingState, type TrainingStore } from './training-store.ts';

let folder = '';
let store: TrainingStore;
let damaged: number[] = [];

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'consilium-training-')), 'training');
  damaged = [];
  store = openTrainingStore(folder, (round) => damaged.push(round));
});

afterEach(() => rm(join(folder, '..'), { recursive: true }));

/** A state whose numbers all differ, among them such as a careless format would change. */
function state(round: number): TrainingState {
  return {
    local: Float32Array.of(round, -0, 1e-40),
    optimizer: {
      rule: 'adam',
      steps: 20 * round,
      first: Float32Array.of(0.1, 2 ** -149, -3),
      second: Float32Array.of(0.25, 3e38, round),
    },
    residual: Float32Array.of(-0.5, round / 3),
  };
}

test('gives back what it was given, bit for bit, also to the next process', async () => {
  expect(await store.load(1)).toBeNull();
  await store.save(1, state(1));
  await store.save(2, state(2));
  expect(await store.load(1)).toEqual(state(1));
  const again = openTrainingStore(folder, (round) => damaged.push(round));
  expect(await again.load(2)).toEqual(state(2));
  expect(damaged).toEqual([]);
});

test('a round that is saved again, after a crash before its update was signed, replaces the first', async () => {
  await store.save(3, state(3));
  await store.save(3, state(4));
  expect(await store.load(3)).toEqual(state(4));
});

test('no flipped bit and no lost tail is ever taken for a state', async () => {
  await store.save(1, state(1));
  const file = join(folder, 'round-1.bin');
  const whole = await readFile(file);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      async (at, flip, isCut) => {
        const bytes = Buffer.from(isCut ? whole.subarray(0, at) : whole);
        if (!isCut) bytes[at] = (bytes[at] as number) ^ flip;
        await writeFile(file, bytes);
        damaged = [];
        expect(await store.load(1)).toBeNull();
        expect(damaged).toEqual([1]);
      },
    ),
    { seed: 11, numRuns: 100 },
  );
  await truncate(file, 0);
  expect(await store.load(1)).toBeNull();
  await store.save(1, state(5));
  expect(await store.load(1)).toEqual(state(5));
});

test('what a killed process left half-written is not a state, and goes with the rounds before it', async () => {
  await store.save(1, state(1));
  await writeFile(join(folder, 'round-2.bin.tmp'), 'half');
  expect(await store.load(2)).toBeNull();
  expect(damaged).toEqual([]);
  await store.save(3, state(3));
  await store.forget(3);
  expect(await readdir(folder)).toEqual(['round-3.bin']);
});

test('forgets earlier rounds only, and no file that is not its own', async () => {
  await store.forget(1);
  for (const round of [1, 2, 9, 10]) await store.save(round, state(round));
  await writeFile(join(folder, 'notes-1.txt'), 'the steward’s');
  await store.forget(9);
  expect((await readdir(folder)).sort()).toEqual(['notes-1.txt', 'round-10.bin', 'round-9.bin']);
  expect(await store.load(9)).toEqual(state(9));
});

test('only the site’s own account may read what training keeps', async () => {
  await store.save(1, state(1));
  expect((await stat(join(folder, 'round-1.bin'))).mode & 0o077).toBe(0);
});
