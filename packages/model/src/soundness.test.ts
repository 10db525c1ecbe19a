import { createOnnxEngine, type Engine, type Program } from '@consilium/compute';
import { afterAll, describe, expect, test } from 'vitest';
import { createLesionModel } from './lesion-model.ts';
import { initialWeights, networkLayout } from './network.ts';
import type { PreparedPatient } from './prepare.ts';
import { trainPrivately } from './private-train.ts';
import { type LesionTask, smallTask } from './task.ts';
import { trainSteps } from './train.ts';

const engine = createOnnxEngine({});
const task: LesionTask = {
  ...smallTask,
  network: { size: 16, cropSize: 16, slices: 1, channels: [4, 8], groupChannels: 4 },
  training: { ...smallTask.training, batch: 3 },
};
const model = createLesionModel(engine, task);
afterAll(async () => {
  await model.close();
  await engine.close();
});

const { tensors } = networkLayout(task.network);
const weightsWith = (name: string, value: number): Float32Array => {
  const weights = initialWeights(task.network, 2);
  for (const tensor of tensors) {
    if (tensor.name === name) weights.fill(value, tensor.offset, tensor.offset + tensor.length);
  }
  return weights;
};
const patient: PreparedPatient = {
  size: 16,
  depth: 4,
  image: new Float32Array(4 * 256).fill(0.5),
  lung: new Uint8Array(4 * 256).fill(255),
  lesion: new Uint8Array(4 * 256).fill(255),
  lesionSlices: [0, 1, 2, 3],
};

describe('the check on a made-up image', () => {
  test.each([1, 2, 3])('lets the weights of seed %d pass', async (seed) => {
    await expect(model.check(initialWeights(task.network, seed))).resolves.toBeUndefined();
  });

  // 1e30 is a sound float32; its square is not. A group norm after it gives zeros, and the loss stays finite.
  test.each(
    tensors.flatMap(({ name }) => [Number.NaN, Infinity, 1e30].map((value) => ({ name, value }))),
  )('refuses $value in $name', async ({ name, value }) => {
    await expect(model.check(weightsWith(name, value))).rejects.toMatchObject({
      name: 'ModelError',
      code: 'NON_FINITE',
    });
  });

  test('wants the network’s own weights', async () => {
    await expect(model.check(new Float32Array(5))).rejects.toMatchObject({
      code: 'LAYOUT_MISMATCH',
    });
  });

  test('refuses a device that computes NaN in one place', async () => {
    const broken = createLesionModel(brokenEngine(engine), task);
    await expect(broken.check(initialWeights(task.network, 1))).rejects.toMatchObject({
      code: 'NON_FINITE',
    });
    await broken.close();
  });
});

const common = { cohort: [patient], optimizerState: null, steps: 2, seed: 1 };

test('training does not begin where the check fails', async () => {
  const weights = weightsWith('down1/a/weight', 1e30);
  const seen: number[] = [];
  const training = trainSteps(
    { ...common, model, weights },
    { onProgress: ({ step }) => seen.push(step) },
  );
  await expect(training).rejects.toMatchObject({ code: 'NON_FINITE' });
  expect(seen).toEqual([]);
});

test('what training led to is checked before it is handed out', async () => {
  const weights = weightsWith('head/weight', 0.05);
  const { training } = task;
  const runaway = { ...training, optimizer: 'sgd' as const, learningRate: 1e37, warmupSteps: 0 };
  const far = createLesionModel(engine, { ...task, training: runaway });
  const learning = trainSteps({ ...common, model: far, weights, steps: 1 });
  await expect(learning).rejects.toMatchObject({ code: 'NON_FINITE' });
  await far.close();
});

test('private training draws nobody where the check fails', async () => {
  let begun = 0;
  const mechanism = {
    spec: {
      sampleRate: 0.5,
      noiseMultiplier: 2,
      clipNorm: 1,
      gridExponent: -20,
      expectedBatch: 1,
    },
    step: () => Promise.reject(new Error(`step ${begun++}`)),
    history: [],
    withoutContribution: 0,
  };
  const training = trainPrivately({
    ...common,
    model,
    weights: weightsWith('down1/a/weight', 1e30),
    mechanism,
    privacy: { slicesPerPatient: 2, trainable: ['head/bias'] },
  });
  await expect(training).rejects.toMatchObject({ code: 'NON_FINITE' });
  expect(begun).toBe(0);
});

/** Gives NaN as the first value of the second output of every run. */
function brokenEngine(sound: Engine): Engine {
  return {
    ...sound,
    compile: async (graph): Promise<Program> => {
      const program = await sound.compile(graph);
      return {
        ...program,
        run: async (...args) => {
          const result = await program.run(...args);
          Object.values(result.outputs)[1]?.fill(Number.NaN, 0, 1);
          return result;
        },
      };
    },
  };
}
