import { createOnnxEngine } from '@consilium/compute';
import { generatePatient } from '@consilium/imaging/phantom';
import { createMechanism, type MechanismStep, type PrivateMechanism } from '@consilium/privacy';
import { isLocal } from '@consilium/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { drawBatch } from './draw-batch.ts';
import { createLesionModel } from './lesion-model.ts';
import { initialWeights, networkLayout } from './network.ts';
import { type PreparedPatient, preparePatient } from './prepare.ts';
import {
  type PrivateTrainProgress,
  type TrainPrivatelyInit,
  trainPrivately,
} from './private-train.ts';
import { seeded } from './seeded.ts';
import { parseTask, smallTask } from './task.ts';
import { trainableTensors } from './trainable.ts';

const engine = createOnnxEngine({});
afterAll(() => engine.close());

const task = parseTask({
  ...smallTask,
  network: { ...smallTask.network, size: 32, cropSize: 32, channels: [8, 16] },
  training: { ...smallTask.training, warmupSteps: 0, siteRate: 0.25 },
});
const layout = networkLayout(task.network);
const model = createLesionModel(engine, task);
const cohort = [1, 2, 3].map((seed) =>
  preparePatient(
    generatePatient({
      seed,
      profile: 'hospital-a',
      condition: seed === 3 ? { kind: 'control', confounders: [] } : { kind: 'covid', day: 9 },
      size: [32, 32, 6],
    }),
    task,
  ),
);
const start = initialWeights(task.network, 1);
const lastStage = trainableTensors(task.network, ['last-stage']);
const trainedValues = layout.tensors
  .filter(({ name }) => lastStage.includes(name.replace('site/', '')))
  .reduce((sum, { length }) => sum + length, 0);
const spec = {
  sampleRate: 1,
  noiseMultiplier: 0.5,
  clipNorm: 1,
  gridExponent: -20,
  expectedBatch: 3,
};

/** Stands in for the mechanism: shows what it was asked, and releases what `release` makes of all patients' gradients. */
function mechanismOf(
  release: (gradients: readonly Float32Array[], call: number) => Float32Array,
): PrivateMechanism & { readonly asked: MechanismStep[] } {
  const asked: MechanismStep[] = [];
  return {
    spec,
    history: [],
    withoutContribution: 0,
    asked,
    async step(step) {
      asked.push(step);
      const gradients: Float32Array[] = [];
      const everybody = Array.from({ length: step.patients }, (_, patient) => patient);
      for await (const gradient of step.gradientsOf(everybody)) gradients.push(gradient);
      return release(gradients, asked.length);
    },
  };
}

/** Nothing about a patient in it: what noise is. */
function noiseOf(length: number, call: number): Float32Array {
  const random = seeded('noise', call);
  return Float32Array.from({ length }, () => random.normal());
}

const onlyNoise = () => mechanismOf((gradients, call) => noiseOf(gradients[0]?.length ?? 0, call));
const meanOf = (gradients: readonly Float32Array[]): Float32Array =>
  (gradients[0] as Float32Array).map(
    (_, i) => gradients.reduce((sum, g) => sum + (g[i] as number), 0) / gradients.length,
  );
const initOf = (init: Partial<TrainPrivatelyInit> = {}): TrainPrivatelyInit => ({
  model,
  cohort,
  weights: start,
  optimizerState: null,
  steps: 2,
  seed: 5,
  mechanism: onlyNoise(),
  privacy: { slicesPerPatient: 2, trainable: lastStage },
  ...init,
});
const part = (weights: Float32Array, name: string): Float32Array => {
  const slot = layout.tensors.find((tensor) => tensor.name === name);
  if (slot === undefined) throw new RangeError(name);
  return weights.slice(slot.offset, slot.offset + slot.length);
};

describe('what patients can change', () => {
  test('is what the mechanism releases: the same releases from other patients give the same weights and the same optimizer state', async () => {
    const one = await trainPrivately(initOf());
    const other = await trainPrivately(initOf({ cohort: cohort.slice(2), seed: 6 }));
    expect(other).toEqual(one);
    expect(one.weights).not.toEqual(start);
  });

  test('is one gradient each, of the vector of everything that is trained', async () => {
    const mechanism = onlyNoise();
    await trainPrivately(initOf({ mechanism, steps: 1 }));
    const [asked] = mechanism.asked;
    expect(asked?.patients).toBe(3);
    expect(asked?.dimension).toBe(trainedValues);
    for await (const gradient of asked?.gradientsOf([1]) ?? []) {
      expect(gradient).toHaveLength(trainedValues);
    }
  });

  test('is the same wherever a patient stands and whoever else is there: without one, the others’ gradients stay', async () => {
    const gradientsIn = async (patients: readonly PreparedPatient[]): Promise<Float32Array[]> => {
      let seen: readonly Float32Array[] = [];
      const mechanism = mechanismOf((gradients) => {
        seen = gradients;
        return noiseOf(trainedValues, 1);
      });
      await trainPrivately(initOf({ cohort: patients, mechanism, steps: 1 }));
      return [...seen];
    };
    const [a, b, c] = cohort as [PreparedPatient, PreparedPatient, PreparedPatient];
    const all = await gradientsIn([a, b, c]);
    expect(await gradientsIn([b, c])).toEqual(all.slice(1));
    expect(await gradientsIn([c, a])).toEqual([all[2], all[0]]);
    expect(all[1]).not.toEqual(all[2]);
  });

  test('is told to nobody: progress has a step’s number, the result weights and state', async () => {
    const told: PrivateTrainProgress[] = [];
    const result = await trainPrivately(initOf(), { onProgress: (each) => told.push(each) });
    expect(told).toEqual([
      { step: 1, steps: 2 },
      { step: 2, steps: 2 },
    ]);
    expect(Object.keys(result).sort()).toEqual(['optimizerState', 'steps', 'weights']);
    expect(Object.keys(result.optimizerState).sort()).toEqual(['first', 'rule', 'second', 'steps']);
  });
});

describe('what moves', () => {
  test('is the trained tensors; the others keep their bits', async () => {
    const { weights, optimizerState } = await trainPrivately(initOf());
    const moved = layout.tensors
      .map(({ name }) => name)
      .filter((name) => part(weights, name).join() !== part(start, name).join());
    expect(moved.filter((name) => !isLocal(name))).toEqual(lastStage);
    expect(moved.filter(isLocal)).toEqual(['site/up0/scale', 'site/up0/shift']);
    expect(optimizerState.first).toHaveLength(trainedValues);
  });

  test('is, of the site’s corrections, a share of what the same release moves shared values', async () => {
    const mechanism = mechanismOf((gradients) => meanOf(gradients));
    const { weights } = await trainPrivately(initOf({ mechanism, steps: 1 }));
    const [shared] = part(weights, 'up0/shift');
    const [own] = part(weights, 'site/up0/shift');
    expect(shared).not.toBe(0);
    expect(own).toBeCloseTo(0.25 * (shared as number), 7);
  });

  test('is no correction where the task’s rate for them is 0: they are not even in the vector', async () => {
    const still = { ...task, training: { ...task.training, siteRate: 0 } };
    const other = createLesionModel(engine, still);
    const mechanism = onlyNoise();
    const { weights } = await trainPrivately(initOf({ model: other, mechanism }));
    await other.close();
    expect(mechanism.asked[0]?.dimension).toBe(trainedValues - 16);
    expect(part(weights, 'site/up0/shift').every((value) => value === 0)).toBe(true);
  });

  test('goes on where the last call ended, in two parts as in one', async () => {
    const release = (gradients: readonly Float32Array[]): Float32Array => meanOf(gradients);
    const whole = await trainPrivately(initOf({ mechanism: mechanismOf(release), steps: 3 }));
    const first = await trainPrivately(initOf({ mechanism: mechanismOf(release), steps: 1 }));
    const kept = structuredClone(first);
    const rest = await trainPrivately(
      initOf({ ...first, mechanism: mechanismOf(release), steps: 2 }),
    );
    expect(rest.weights).toEqual(whole.weights);
    expect(rest.optimizerState).toEqual(whole.optimizerState);
    expect(first).toEqual(kept);
  });
});

describe('a cohort', () => {
  test('without a lesion is trained on like any other: to refuse it would tell', async () => {
    const result = await trainPrivately(initOf({ cohort: cohort.slice(2) }));
    expect(cohort[2]?.lesionSlices).toEqual([]);
    expect(result.steps).toBe(2);
  });

  test('with a patient whose gradient is not finite leaves the judgement to the mechanism', async () => {
    const broken = { ...(cohort[0] as PreparedPatient) };
    const image = broken.image.map(() => Number.NaN);
    let seen: readonly Float32Array[] = [];
    const mechanism = mechanismOf((gradients) => {
      seen = gradients;
      return noiseOf(trainedValues, 1);
    });
    await trainPrivately(
      initOf({ cohort: [{ ...broken, image }, ...cohort.slice(1)], mechanism, steps: 1 }),
    );
    expect(seen.map((gradient) => gradient.every(Number.isFinite))).toEqual([false, true, true]);
  });

  test('of nobody is refused', async () => {
    await expect(trainPrivately(initOf({ cohort: [] }))).rejects.toMatchObject({
      code: 'EMPTY_COHORT',
    });
  });
});

describe('before a patient is looked at', () => {
  const notFinite = start.slice();
  notFinite[3] = Infinity;
  const state = (rule: 'adam' | 'sgd', length: number) => ({
    rule,
    steps: 1,
    first: new Float32Array(length),
    second: new Float32Array(length),
  });
  const cases: readonly [string, Partial<TrainPrivatelyInit>, string][] = [
    ['weights of another network', { weights: start.slice(1) }, 'LAYOUT_MISMATCH'],
    ['weights that are not finite', { weights: notFinite }, 'NON_FINITE'],
    [
      'a tensor that does not exist',
      { privacy: { slicesPerPatient: 2, trainable: ['head/weight', 'head/heat'] } },
      'LAYOUT_MISMATCH',
    ],
    [
      'a site’s correction named as shared',
      { privacy: { slicesPerPatient: 2, trainable: ['site/up0/scale'] } },
      'LAYOUT_MISMATCH',
    ],
    [
      'an optimizer state over all weights',
      { optimizerState: state('adam', start.length) },
      'LAYOUT_MISMATCH',
    ],
    [
      'another optimizer’s state',
      { optimizerState: state('sgd', trainedValues) },
      'LAYOUT_MISMATCH',
    ],
  ];
  test.each(cases)('%s is refused, and nothing is spent', async (_, init, code) => {
    const mechanism = onlyNoise();
    await expect(trainPrivately(initOf({ ...init, mechanism }))).rejects.toMatchObject({
      name: 'ModelError',
      code,
    });
    expect(mechanism.asked).toEqual([]);
  });

  test.each([0, 65, 1.5])('%d slices of a patient are refused', async (slicesPerPatient) => {
    const privacy = { slicesPerPatient, trainable: lastStage };
    await expect(trainPrivately(initOf({ privacy }))).rejects.toThrow(RangeError);
  });
});

test('a release that makes a weight infinite ends it with NON_FINITE', async () => {
  const mechanism = mechanismOf(() => new Float32Array(trainedValues).fill(Number.NaN));
  await expect(trainPrivately(initOf({ mechanism }))).rejects.toMatchObject({ code: 'NON_FINITE' });
});

test('an abort ends it between two steps with the signal’s reason', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const onProgress = ({ step }: { step: number }): void => {
    if (step === 2) controller.abort(reason);
  };
  await expect(
    trainPrivately(initOf({ steps: 1000 }), { signal: controller.signal, onProgress }),
  ).rejects.toBe(reason);
});

describe('with the real mechanism', () => {
  const source = seeded('mechanism');
  const random = (count: number): Uint8Array =>
    Uint8Array.from({ length: count }, () => source.uint32() & 255);

  test('an empty draw still moves every trained weight, by noise', async () => {
    // 2^-40: nobody is drawn.
    const mechanism = createMechanism({ random }, { ...spec, sampleRate: 2 ** -40 });
    const { weights } = await trainPrivately(initOf({ mechanism, steps: 1 }));
    expect(mechanism.history).toMatchObject([{ steps: 1 }]);
    const head = part(weights, 'head/weight');
    const moved = head.filter((value, i) => value !== part(start, 'head/weight')[i]);
    expect(moved).toHaveLength(head.length);
  });

  test('at next to no noise it learns: the loss of a fixed batch falls', async () => {
    const mechanism = createMechanism({ random }, { ...spec, noiseMultiplier: 1e-3 });
    const judge = drawBatch(cohort, task, 99, 0);
    const before = await model.learn(judge, start);
    const { weights } = await trainPrivately(
      initOf({
        mechanism,
        steps: 50,
        privacy: { slicesPerPatient: 3, trainable: trainableTensors(task.network, ['all']) },
      }),
    );
    const after = await model.learn(judge, weights);
    expect(after.loss).toBeLessThan(0.8 * before.loss);
  });
});
