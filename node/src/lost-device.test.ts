import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MicrobatchReduced } from '@consilium/model';
import { initialWeights, parseTask } from '@consilium/model';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { attempt } from './attempt.ts';
import { failingOnnx } from './failing-onnx-fixture.ts';
import type { Logger } from './logger.ts';
import { roundSite, roundTask } from './round-training-fixture.ts';
import { createTrainer, type Trainer, type TrainerInit } from './trainer.ts';
import type { TrainJob } from './training-messages.ts';

let folder = '';
let trainers: Trainer[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'consilium-device-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(trainers.map((each) => each.stop()));
  trainers = [];
  await rm(folder, { recursive: true });
});

function trainerOf(init: TrainerInit): Trainer {
  const trainer = createTrainer({ execArgv: ['--conditions=@consilium/source'], ...init });
  trainers.push(trainer);
  return trainer;
}

const job = (steps: number): TrainJob => ({
  task: roundTask,
  weights: initialWeights(roundTask.network, 1),
  optimizerState: null,
  steps,
  seed: 3,
  cohort: { kind: 'phantom', profile: 'hospital-a', patients: 2, seed: 5, size: [24, 24, 6] },
  privacy: null,
});
const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const lost = 'WebGPU device lost (2): the GPU was removed';

describe('an engine that fails after some runs', () => {
  test('costs the job, and the next one gets a process that opens the device anew', async () => {
    const execArgv = await failingOnnx(join(folder, 'a.mjs'), 'runs > 3 && once', lost);
    const trainer = trainerOf({ execArgv });
    const pids: (number | null)[] = [];
    const onProgress = (): void => void pids.push(trainer.pid);
    await expect(trainer.train(job(5), { onProgress })).rejects.toMatchObject({
      name: 'ComputeError',
      code: 'ENGINE_FAILED',
      message: expect.stringContaining('the GPU was removed'),
    });
    expect(trainer.pid).toBeNull();
    const first = new Set(pids);
    const { weights } = await trainer.train(job(5), { onProgress });
    expect(first.size).toBe(1);
    expect(new Set(pids).size).toBe(2);
    expect(weights).toEqual((await trainerOf({}).train(job(5))).weights);
  });

  test('spends the reservation of a private round, and the round is tried again', async () => {
    const execArgv = await failingOnnx(join(folder, 'a.mjs'), 'runs > 5 && once', lost);
    const { round, kinds, fold, training } = await roundSite(trainerOf({ execArgv }), {
      isPrivate: true,
    });
    const signal = new AbortController().signal;
    const tried = (): Promise<boolean> =>
      attempt('train', { logger: quiet, signal }, () => round(1));
    expect(await tried()).toBe(false);
    expect(await kinds()).toEqual(['manifest', 'reserve']);
    expect(await tried()).toBe(true);
    expect(await kinds()).toEqual(['manifest', 'reserve', 'reserve', 'update']);
    expect((await fold()).findings).toEqual([]);
    expect(training.findings).toEqual([]);
  }, 60_000);
});

test('a process that is killed in the middle of a round costs nothing but time', async () => {
  const trainer = trainerOf({});
  let killed = 0;
  const { round, kinds } = await roundSite(
    {
      check: (check, options) => trainer.check(check, options),
      train: (training, options) => {
        const running = trainer.train(training, options);
        if (killed++ === 0) process.kill(trainer.pid as number, 'SIGKILL');
        return running;
      },
    },
    { isPrivate: false },
  );
  await expect(round(1)).rejects.toMatchObject({ code: 'PROCESS_LOST' });
  expect(await kinds()).toEqual(['manifest']);
  await round(1);
  expect(await kinds()).toEqual(['manifest', 'update']);
});

test('a device that is gone for good ends the node, which tries a missing engine no further', async () => {
  // No Vulkan driver of any kind.
  vi.stubEnv('VK_DRIVER_FILES', join(folder, 'none.json'));
  vi.stubEnv('VK_ICD_FILENAMES', join(folder, 'none.json'));
  const trainer = trainerOf({ compute: { engine: 'onnx-webgpu' } });
  const signal = new AbortController().signal;
  const tried = attempt('train', { logger: quiet, signal }, () => trainer.train(job(1)));
  await expect(tried).rejects.toMatchObject({ name: 'ComputeError', code: 'PROVIDER_MISSING' });
});

test('memory that does not hold a batch is told once, without a word of patients', async () => {
  const execArgv = await failingOnnx(join(folder, 'a.mjs'), 'samples > 3', 'std::bad_alloc');
  const told: MicrobatchReduced[] = [];
  const trainer = trainerOf({ execArgv, onReduced: (reduced) => told.push(reduced) });
  const task = parseTask({ ...roundTask, training: { ...roundTask.training, batch: 7 } });
  const pids = new Set<number | null>();
  const onProgress = (): void => void pids.add(trainer.pid);
  const { weights } = await trainer.train({ ...job(3), task }, { onProgress });
  await trainer.train({ ...job(3), task }, { onProgress });
  expect(told).toEqual([{ work: 'learning', samples: 2, of: 7 }]);
  expect(pids.size).toBe(1);
  const whole = await trainerOf({}).train({ ...job(3), task });
  const distance = (values: Float32Array): number =>
    Math.hypot(...values.map((value, i) => value - (whole.weights[i] as number)));
  expect(distance(weights)).toBeLessThan(1e-3 * distance(job(1).weights));
});

test('where not one sample fits, the job fails and the next one gets a fresh process', async () => {
  const execArgv = await failingOnnx(
    join(folder, 'a.mjs'),
    'samples > 0 && runs > 1 && once',
    'std::bad_alloc',
  );
  const trainer = trainerOf({ execArgv });
  const task = parseTask({ ...roundTask, training: { ...roundTask.training, batch: 1 } });
  await expect(trainer.train({ ...job(1), task })).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
  expect(trainer.pid).toBeNull();
  expect((await trainer.train({ ...job(1), task })).steps).toBe(1);
});
