import { createOnnxEngine } from '@consilium/compute';
import { generatePatient } from '@consilium/imaging/phantom';
import { isLocal } from '@consilium/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { drawBatch } from './draw-batch.ts';
import { createLesionModel } from './lesion-model.ts';
import { initialWeights, networkLayout } from './network.ts';
import { predict } from './predict.ts';
import { type PreparedPatient, preparePatient } from './prepare.ts';
import { type LesionTask, parseTask, smallTask } from './task.ts';
import { trainSteps } from './train.ts';
import { learningRateAt } from './training-step.ts';

const engine = createOnnxEngine({});
afterAll(() => engine.close());

const task = parseTask({
  ...smallTask,
  network: { ...smallTask.network, size: 32, cropSize: 32, channels: [8, 16] },
  training: { ...smallTask.training, batch: 4, siteRate: 0.25 },
});
const weights = initialWeights(task.network, 1);
const patientOf = (seed: number, size: [number, number, number] = [32, 32, 6]) =>
  generatePatient({
    seed,
    profile: 'hospital-a',
    condition: { kind: 'covid', day: 9 },
    size,
  });
const cohort = [1, 2].map((seed) => preparePatient(patientOf(seed), task));
const model = createLesionModel(engine, task);
const init = { model, cohort, weights, optimizerState: null, steps: 3, seed: 5 };

describe('batches', () => {
  test('are the same for the same seed and step, and others for another', () => {
    expect(drawBatch(cohort, task, 5, 2)).toEqual(drawBatch(cohort, task, 5, 2));
    expect(drawBatch(cohort, task, 5, 3).image).not.toEqual(drawBatch(cohort, task, 5, 2).image);
    expect(drawBatch(cohort, task, 6, 2).image).not.toEqual(drawBatch(cohort, task, 5, 2).image);
  });

  test('weigh only the true lung for lesions at first, and the rest a little at the end', () => {
    const { lungTruth, lesionTruth, lesionWeight, outside } = drawBatch(cohort, task, 5, 0);
    let inside = 0;
    let [within, beyond] = [0, 0];
    for (const [i, lung] of lungTruth.entries()) {
      const isLung = lung > 0.5;
      inside += isLung ? 1 : 0;
      within = isLung ? (lesionWeight[i] as number) : within;
      beyond = isLung ? beyond : (lesionWeight[i] as number);
      expect(outside[i] === 0).toBe(isLung);
      expect(lesionTruth[i]).toBeLessThanOrEqual(isLung ? 1 : 0);
    }
    expect(inside).toBeGreaterThan(0);
    expect(within).toBeCloseTo(lungTruth.length / (inside + 1), 4);
    expect(beyond).toBe(0);
    const late = drawBatch(cohort, task, 5, task.training.decaySteps);
    const weights = [...new Set(late.lesionWeight)].sort((a, b) => a - b);
    expect(weights).toHaveLength(2);
    expect((weights[0] as number) / (weights[1] as number)).toBeCloseTo(
      task.training.outsideWeight,
      6,
    );
  });

  test('take patients by the root of their slices: a scan of 100 slices twice as often as one of 25', () => {
    const one = cohort[0] as PreparedPatient;
    const stack = (depth: number, value: number): PreparedPatient => ({
      size: 32,
      depth,
      image: new Float32Array(depth * 1024),
      lung: new Uint8Array(depth * 1024).fill(value),
      lesion: new Uint8Array(depth * 1024),
      lesionSlices: [],
    });
    expect(one.size).toBe(32);
    let large = 0;
    for (let step = 0; step < 150; step++) {
      const { lungTruth } = drawBatch([stack(100, 255), stack(25, 0)], task, 1, step);
      for (let sample = 0; sample < 4; sample++) {
        large += lungTruth[sample * 1024 + 16 * 32 + 16] === 1 ? 1 : 0;
      }
    }
    expect(large / 600).toBeGreaterThan(0.6);
    expect(large / 600).toBeLessThan(0.73);
  });
});

describe('training', () => {
  test('is the same again with the same seed, and in two parts as in one', async () => {
    const whole = await trainSteps(init);
    expect((await trainSteps(init)).weights).toEqual(whole.weights);
    const part = await trainSteps({ ...init, steps: 2 });
    const rest = await trainSteps({
      ...init,
      steps: 1,
      weights: part.weights,
      optimizerState: part.optimizerState,
    });
    expect(rest.weights).toEqual(whole.weights);
    expect(rest.optimizerState).toEqual(whole.optimizerState);
  });

  test('leaves the arrays that it was given as they were', async () => {
    const before = weights.slice();
    const first = await trainSteps(init);
    const state = structuredClone(first.optimizerState);
    await trainSteps({ ...init, optimizerState: first.optimizerState });
    expect(weights).toEqual(before);
    expect(first.optimizerState).toEqual(state);
  });

  test('moves the site’s corrections by their share of what shared weights move, and not at all at rate 0', async () => {
    const layout = networkLayout(task.network);
    const moved = (after: Float32Array, name: string): number => {
      const slot = layout.tensors.find((tensor) => tensor.name === name);
      const at = slot?.offset as number;
      return (after[at] as number) - (weights[at] as number);
    };
    const { weights: after } = await trainSteps({ ...init, steps: 1 });
    const shared = moved(after, 'down0/b/shift');
    expect(shared).not.toBe(0);
    expect(moved(after, 'site/down0/b/shift')).toBeCloseTo(0.25 * shared, 7);

    const frozen: LesionTask = { ...task, training: { ...task.training, siteRate: 0 } };
    const still = createLesionModel(engine, frozen);
    const { weights: kept } = await trainSteps({ ...init, model: still });
    await still.close();
    for (const { name, offset, length } of layout.tensors) {
      if (isLocal(name)) {
        expect(kept.subarray(offset, offset + length).every((value) => value === 0)).toBe(true);
      }
    }
  });

  test('a weight that is no number ends it with NON_FINITE and nothing else', async () => {
    const broken = weights.slice();
    broken[10] = Number.NaN;
    await expect(trainSteps({ ...init, weights: broken })).rejects.toMatchObject({
      code: 'NON_FINITE',
    });
  });

  test.each([
    ['no patient', []],
    ['no lesion', [{ ...(cohort[0] as PreparedPatient), lesionSlices: [] }]],
  ])('a cohort with %s is refused', async (_, patients) => {
    await expect(trainSteps({ ...init, cohort: patients })).rejects.toMatchObject({
      code: 'EMPTY_COHORT',
    });
  });

  test('weights of anbeyond network are refused', async () => {
    await expect(trainSteps({ ...init, weights: weights.slice(1) })).rejects.toMatchObject({
      name: 'ModelError',
    });
  });

  test('an abort ends it between two steps with the signal’s reason', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const onProgress = ({ step }: { step: number }): void => {
      if (step === 2) controller.abort(reason);
    };
    await expect(
      trainSteps({ ...init, steps: 1000 }, { signal: controller.signal, onProgress }),
    ).rejects.toBe(reason);
  });

  test('the rate warms up, falls along half a cosine and stays', () => {
    const training = {
      ...task.training,
      learningRate: 1,
      warmupSteps: 10,
      decaySteps: 110,
      finalRate: 0.1,
    };
    const at = (done: number): number => learningRateAt(training, done);
    expect(at(0)).toBeCloseTo(0.1, 12);
    expect(at(9)).toBeCloseTo(1, 12);
    expect(at(60)).toBeCloseTo(0.55, 12);
    expect(at(110)).toBeCloseTo(0.1, 12);
    expect(at(5000)).toBeCloseTo(0.1, 12);
  });
});

describe('reading a scan', () => {
  test('gives probabilities on the scan’s own grid, in every slice, also of a scan that is no whole number of batches', async () => {
    const { scan } = patientOf(3, [40, 36, 11]);
    const { lung, lesion, lesionInLung } = await predict(model, weights, scan);
    for (const values of [lung, lesion, lesionInLung]) {
      expect(values).toHaveLength(40 * 36 * 11);
      expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
    for (const [i, value] of lesion.entries()) {
      expect(value).toBeCloseTo((lung[i] as number) * (lesionInLung[i] as number), 6);
    }
    expect(lung.subarray(40 * 36 * 10).some((value) => value !== lung[0])).toBe(true);
  });

  test('an ensemble of one network with itself reads as the network does', async () => {
    const { scan } = patientOf(3);
    const one = await predict(model, weights, scan);
    const both = await predict(model, [weights, weights], scan);
    for (let i = 0; i < one.lung.length; i += 97) {
      expect(both.lung[i]).toBeCloseTo(one.lung[i] as number, 5);
    }
  });

  test('with mirror images a mirrored scan has the mirrored reading', async () => {
    const { scan } = patientOf(3);
    const mirrored = { ...scan, voxels: scan.voxels.slice() };
    for (let row = 0; row < mirrored.voxels.length; row += 32) {
      mirrored.voxels.subarray(row, row + 32).reverse();
    }
    const one = await predict(model, weights, scan, { mirrored: true });
    const beyond = await predict(model, weights, mirrored, { mirrored: true });
    for (let i = 0; i < one.lung.length; i += 97) {
      const x = i % 32;
      expect(beyond.lung[i - x + 31 - x]).toBeCloseTo(one.lung[i] as number, 4);
    }
  });
});
