import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ComputeError, createOnnxEngine } from '@consilium/compute';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { type Batch, emptyBatch } from './draw-batch.ts';
import { createLesionModel } from './lesion-model.ts';
import { limitedEngine } from './limited-engine-fixture.ts';
import { createMicrobatch, type MicrobatchReduced, partsOf } from './microbatch.ts';
import { initialWeights } from './network.ts';
import type { PatientLearner } from './patient-learner.ts';
import { seeded } from './seeded.ts';
import { type LesionTask, smallTask } from './task.ts';
import { trainedTensors } from './trainable.ts';

const engine = createOnnxEngine({});
afterAll(() => engine.close());

/** 7 samples: neither 2 nor 3 nor 4 divides them. */
const task: LesionTask = {
  ...smallTask,
  network: { size: 16, cropSize: 16, slices: 3, channels: [4, 8], groupChannels: 4 },
  training: { ...smallTask.training, batch: 7 },
};

/** Samples that differ much: the first has no lesion, the last is almost all lesion, so that soft Dice of a part is not that of the batch. */
function batchOf(samples: number, seed: number): Batch {
  const random = seeded('microbatch test', seed);
  const batch = emptyBatch(task.network, samples);
  const pixels = task.network.cropSize ** 2;
  for (const i of batch.image.keys()) batch.image[i] = 2 * random.normal();
  for (const i of batch.lungTruth.keys()) {
    const share = Math.floor(i / pixels) / samples;
    const isLung = random.uniform() < 0.2 + 0.8 * share;
    batch.lungTruth[i] = isLung ? 1 : 0;
    batch.lesionTruth[i] = isLung && random.uniform() < share ? 1 : 0;
    batch.lungWeight[i] = random.between(0.5, 2);
    batch.lesionWeight[i] = random.between(0.5, 2);
    batch.outside[i] = isLung ? 0 : -40;
  }
  return batch;
}

function weightsOf(seed: number): Float32Array {
  const random = seeded('microbatch weights', seed);
  return initialWeights(task.network, seed).map((value) => value + 0.1 * random.normal());
}

function relativeError(a: Float32Array, b: Float32Array): number {
  expect(a).toHaveLength(b.length);
  return Math.hypot(...a.map((value, i) => value - (b[i] as number))) / Math.hypot(...b);
}

const splits = [
  { most: 6, size: 4, failures: 1 },
  { most: 3, size: 2, failures: 2 },
  { most: 1, size: 1, failures: 3 },
];

async function onlyGradient(
  learner: PatientLearner,
  batch: Batch,
  weights: Float32Array,
): Promise<Float32Array> {
  for await (const gradient of learner.gradients([batch], weights)) return gradient;
  return new Float32Array();
}

describe.each(splits)('7 samples where memory holds $most', ({ most, size, failures }) => {
  test('learn as the whole batch does, in parts', async () => {
    const limited = limitedEngine(engine, most);
    const told: MicrobatchReduced[] = [];
    const whole = createLesionModel(engine, task);
    const split = createLesionModel(limited, task, { onReduced: (each) => told.push(each) });
    for (const seed of [1, 2]) {
      const [batch, weights] = [batchOf(7, seed), weightsOf(seed)];
      const wanted = await whole.learn(batch, weights);
      const got = await split.learn(batch, weights);
      expect(relativeError(got.gradient, wanted.gradient)).toBeLessThan(2e-5);
      expect(got.loss).toBeCloseTo(wanted.loss, 5);
      expect(got.lesionDice).toBeCloseTo(wanted.lesionDice, 5);
    }
    // The second batch began with what the first had found.
    expect(limited.failed).toHaveLength(failures);
    expect(told).toEqual([{ work: 'learning', samples: size, of: 7 }]);
    await Promise.all([whole.close(), split.close()]);
  });

  test.each([
    ['all', (name: string) => !name.startsWith('site/')],
    ['the head alone', (name: string) => name.startsWith('head/')],
  ])('give a patient the same gradient by %s', async (_, isTrained) => {
    const limited = limitedEngine(engine, most);
    const told: MicrobatchReduced[] = [];
    const whole = createLesionModel(engine, task);
    const split = createLesionModel(limited, task, { onReduced: (each) => told.push(each) });
    const names = whole.layout.tensors.map(({ name }) => name).filter(isTrained);
    const trained = trainedTensors(task, names);
    const [batch, weights] = [batchOf(7, 3), weightsOf(3)];
    const wanted = await onlyGradient(whole.patientLearner(7, trained), batch, weights);
    const learner = split.patientLearner(7, trained);
    for (let i = 0; i < 2; i++) {
      const got = await onlyGradient(learner, batch, weights);
      expect(relativeError(got, wanted)).toBeLessThan(2e-5);
    }
    // Two patients of 7 slices go through one run: that fails first.
    expect(limited.failed).toHaveLength(failures + 1);
    expect(told).toEqual([{ work: 'learning', samples: size, of: 14 }]);
    await Promise.all([whole.close(), split.close()]);
  });

  test('are read as in one batch', async () => {
    const limited = limitedEngine(engine, most);
    const whole = createLesionModel(engine, task, { readBatch: 7 });
    const split = createLesionModel(limited, task, { readBatch: 7 });
    const [{ image }, weights] = [batchOf(7, 4), weightsOf(4)];
    const wanted = await whole.read(image, weights);
    const got = await split.read(image, weights);
    expect(relativeError(got.lung, wanted.lung)).toBeLessThan(1e-6);
    expect(relativeError(got.lesion, wanted.lesion)).toBeLessThan(1e-6);
    await Promise.all([whole.close(), split.close()]);
  });
});

test('where not even one sample fits, it says so', async () => {
  const limited = limitedEngine(engine, 0);
  const told: MicrobatchReduced[] = [];
  const model = createLesionModel(limited, task, { onReduced: (each) => told.push(each) });
  await expect(model.learn(batchOf(7, 1), weightsOf(1))).rejects.toMatchObject({
    name: 'ComputeError',
    code: 'OUT_OF_MEMORY',
  });
  expect(limited.failed).toEqual([7, 4, 2, 1]);
  expect(told).toEqual([]);
  await model.close();
});

test('another failure is not tried again', async () => {
  let tries = 0;
  const microbatch = createMicrobatch(engine, {}, 8, () => expect.fail('nothing was reduced'));
  const failing = microbatch.run(() => {
    tries++;
    return Promise.reject(new ComputeError('ENGINE_FAILED', 'the device is gone'));
  });
  await expect(failing).rejects.toMatchObject({ code: 'ENGINE_FAILED' });
  expect(tries).toBe(1);
});

test('parts have every sample once, in order, none larger than asked', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 64 }), (batch, size) => {
      const parts = partsOf(batch, size);
      const seen = parts.flatMap(({ from, samples }) =>
        Array.from({ length: samples }, (_, i) => from + i),
      );
      expect(seen).toEqual(Array.from({ length: batch }, (_, i) => i));
      expect(Math.max(...parts.map(({ samples }) => samples))).toBeLessThanOrEqual(size);
    }),
    { seed: 1 },
  );
});

interface Seen {
  loss: number;
  gradient: number[];
  told: MicrobatchReduced[];
}

/** Learns 24 samples in a process that may take so much more address space than it starts with; 0: as much as there is. */
async function learnWithin(roomMiB: number): Promise<Seen> {
  const child = fileURLToPath(new URL('./out-of-memory-child.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=@consilium/source',
    child,
    String(roomMiB),
  ]);
  return JSON.parse(stdout);
}

// Whole, the batch takes about 530 MiB more.
test.runIf(process.platform === 'linux')(
  'a process that really runs out of memory learns the same with fewer samples at once',
  async () => {
    const [free, held] = [await learnWithin(0), await learnWithin(100)];
    expect(free.told).toEqual([]);
    expect(held.told).toEqual([{ work: 'learning', samples: expect.any(Number), of: 24 }]);
    expect(held.told[0]?.samples).toBeLessThan(24);
    expect(held.loss).toBeCloseTo(free.loss, 5);
    const [got, wanted] = [Float32Array.from(held.gradient), Float32Array.from(free.gradient)];
    expect(wanted.some((value) => value !== 0)).toBe(true);
    expect(relativeError(got, wanted)).toBeLessThan(2e-5);
  },
  60_000,
);
