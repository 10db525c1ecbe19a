import { initialWeights, networkLayout, parseTask, smallTask } from '@consilium/model';
import { afterAll, describe, expect, test } from 'vitest';
import { createTrainer, type Trainer } from './trainer.ts';
import type { CohortSource, JobProgress, TrainJob } from './training-messages.ts';

const task = parseTask({
  ...smallTask,
  network: { ...smallTask.network, size: 32, cropSize: 32, channels: [4, 8], groupChannels: 8 },
});
const cohort: CohortSource = {
  kind: 'phantom',
  profile: 'hospital-a',
  patients: 2,
  seed: 5,
  size: [48, 48, 8],
};
const job = (steps: number): TrainJob => ({
  task,
  weights: initialWeights(task.network, 1),
  optimizerState: null,
  steps,
  seed: 3,
  cohort,
  privacy: null,
});
const trainers: Trainer[] = [];
function trainer(): Trainer {
  const created = createTrainer({ execArgv: ['--conditions=@consilium/source'] });
  trainers.push(created);
  return created;
}
afterAll(() => Promise.all(trainers.map((each) => each.stop())));

describe('the training process', () => {
  test('trains in another process, tells progress, and goes on from what it returned', async () => {
    const subject = trainer();
    const seen: number[] = [];
    const whole = await subject.train(job(4), { onProgress: ({ done }) => seen.push(done) });
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(subject.pid).not.toBe(process.pid);
    expect(whole.weights).toHaveLength(networkLayout(task.network).length);
    expect(whole.weights).not.toEqual(job(4).weights);
    const half = await subject.train(job(2));
    const rest = await subject.train({
      ...job(2),
      weights: half.weights,
      optimizerState: half.optimizerState,
    });
    expect(rest.weights).toEqual(whole.weights);
    expect(rest.optimizerState.steps).toBe(4);
  });

  test('a killed process costs the job it was at; the one that waits gets a new process', async () => {
    const subject = trainer();
    const lost = subject.train(job(100_000), {
      onProgress: ({ done }) => {
        if (done === 2) process.kill(subject.pid as number, 'SIGKILL');
      },
    });
    const waiting = subject.train(job(1));
    await expect(lost).rejects.toMatchObject({ name: 'TrainerError', code: 'PROCESS_LOST' });
    expect((await waiting).steps).toBe(1);
  });

  test('an abort ends the running job with the reason, and the process serves the next one', async () => {
    const subject = trainer();
    const controller = new AbortController();
    const reason = new Error('the deadline has passed');
    const aborted = subject.train(job(100_000), {
      signal: controller.signal,
      onProgress: ({ done }) => {
        if (done === 2) controller.abort(reason);
      },
    });
    await expect(aborted).rejects.toBe(reason);
    const pid = subject.pid;
    expect((await subject.train(job(1))).steps).toBe(1);
    expect(subject.pid).toBe(pid);
  });

  test('a job that waits can be aborted without touching the one that runs', async () => {
    const subject = trainer();
    const controller = new AbortController();
    const running = subject.train(job(2));
    const waiting = subject.train(job(2), { signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    expect((await running).steps).toBe(2);
    expect(subject.pending).toBe(0);
  });

  test('evaluation returns aggregates, and figures of patients only when asked', async () => {
    const subject = trainer();
    const weights = initialWeights(task.network, 1);
    const { summary, patients } = await subject.evaluate({ task, weights, cohort });
    expect(summary.patients).toBe(2);
    expect(summary.metrics.burdenError.mean).toBeGreaterThanOrEqual(0);
    expect(patients).toEqual([]);
    const asked = await subject.evaluate({ task, weights, cohort, perPatient: true });
    expect(asked.patients).toHaveLength(2);
    expect(asked.summary).toEqual(summary);
  });

  test('pictures show the slices with most lesion, with truth and prediction', async () => {
    const pictures = await trainer().pictures({
      task,
      weights: initialWeights(task.network, 1),
      cohort,
      patients: 1,
      slicesEach: 2,
    });
    expect(pictures).toHaveLength(2);
    for (const { width, height, grey, truth, predicted } of pictures) {
      expect(grey).toHaveLength(width * height);
      expect(predicted.lesion).toHaveLength(width * height);
      expect(truth.lesion.some((value) => value === 1)).toBe(true);
    }
  });

  test.each([
    [
      'a missing data folder',
      { cohort: { kind: 'png', folder: '/nowhere', patients: ['a'] } as CohortSource },
      { name: 'ImagingError', code: 'MISSING_FOLDER' },
    ],
    [
      'weights of another network',
      { weights: new Float32Array(3) },
      { name: 'ModelError', code: 'LAYOUT_MISMATCH' },
    ],
    [
      'weights that are not finite',
      { weights: initialWeights(task.network, 1).fill(Number.NaN) },
      { name: 'ModelError', code: 'NON_FINITE' },
    ],
    [
      'an unknown scanner profile',
      { cohort: { ...cohort, profile: 'nobody' } as CohortSource },
      { name: 'TrainerError', code: 'JOB_FAILED' },
    ],
  ])('%s comes back as the error it was', async (_, change, error) => {
    await expect(trainer().train({ ...job(1), ...change })).rejects.toMatchObject(error);
  });

  test('a check passes sound weights, and rejects what overflows', async () => {
    const subject = trainer();
    const weights = initialWeights(task.network, 1);
    expect(await subject.check({ task, weights })).toBeNull();
    const broken = weights.map((value) => value * 1e30);
    const error = { name: 'ModelError', code: 'NON_FINITE' };
    await expect(subject.check({ task, weights: broken })).rejects.toMatchObject(error);
    // An evaluation is published: it is checked as well.
    const evaluation = subject.evaluate({ task, weights: [weights, broken], cohort });
    await expect(evaluation).rejects.toMatchObject(error);
  });

  test('stopping ends the process and rejects what runs and what waits', async () => {
    const subject = trainer();
    const rejections = [job(100_000), job(1)].map((each) =>
      expect(subject.train(each)).rejects.toMatchObject({ code: 'STOPPED' }),
    );
    await subject.stop();
    await Promise.all(rejections);
    expect(subject.pid).toBeNull();
    await expect(subject.train(job(1))).rejects.toMatchObject({ code: 'STOPPED' });
  });

  test('an engine that is not there is named, and not taken for a failed job', async () => {
    const subject = createTrainer({
      execArgv: ['--conditions=@consilium/source'],
      compute: { engine: 'onnx-cuda' },
    });
    trainers.push(subject);
    await expect(subject.train(job(1))).rejects.toMatchObject({
      name: 'ComputeError',
      code: 'PROVIDER_MISSING',
    });
  });
});

describe('private training', () => {
  const mechanism = {
    sampleRate: 0.5,
    noiseMultiplier: 2,
    clipNorm: 0.25,
    gridExponent: -20,
    expectedBatch: 1,
  };
  const privately = (steps: number, declaredPatients = 2): TrainJob => ({
    ...job(steps),
    privacy: { mechanism, slicesPerPatient: 2, trainable: ['head/bias'], declaredPatients },
  });

  test('moves what is trained by noise that no seed repeats, nothing else, and tells no loss', async () => {
    const subject = trainer();
    const told: JobProgress[] = [];
    const [one, other] = [
      await subject.train(privately(3), { onProgress: (progress) => told.push(progress) }),
      await subject.train(privately(3)),
    ];
    expect(told).toEqual([1, 2, 3].map((done) => ({ done, total: 3 })));
    const { offset, length } = networkLayout(task.network).tensors.find(
      ({ name }) => name === 'head/bias',
    ) as { offset: number; length: number };
    const start = job(3).weights;
    const moved = [...one.weights.keys()].filter((i) => one.weights[i] !== start[i]);
    expect(moved).toEqual(Array.from({ length }, (_, i) => offset + i));
    expect(one.weights).not.toEqual(other.weights);
    expect(Object.keys(one).sort()).toEqual(['optimizerState', 'steps', 'weights']);
  });

  test('reads no patient when there are fewer than were declared', async () => {
    await expect(trainer().train(privately(1, 3))).rejects.toMatchObject({
      name: 'PrivacyError',
      code: 'COHORT_TOO_SMALL',
    });
  });
});
