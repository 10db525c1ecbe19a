import { ComputeError, createEngine, createOnnxEngine, type Engine } from '@consilium/compute';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { type Batch, emptyBatch } from './draw-batch.ts';
import { createLesionModel } from './lesion-model.ts';
import { initialWeights } from './network.ts';
import { createPatientLearner, type PatientLearner } from './patient-learner.ts';
import { seeded } from './seeded.ts';
import { type LesionTask, smallTask } from './task.ts';
import { trainedTensors } from './trainable.ts';

const slices = 2;
const task: LesionTask = {
  ...smallTask,
  network: { size: 16, cropSize: 16, slices: 3, channels: [4, 8], groupChannels: 4 },
};
const weights = initialWeights(task.network, 3);
const names = createLesionModel(createOnnxEngine(), task)
  .layout.tensors.map(({ name }) => name)
  .filter((name) => !name.startsWith('site/'));
const trained = trainedTensors(task, names);

function patient(seed: number): Batch {
  const random = seeded('patient learner test', seed);
  const batch = emptyBatch(task.network, slices);
  for (const i of batch.image.keys()) batch.image[i] = 2 * random.normal();
  for (const i of batch.lungTruth.keys()) {
    batch.lungTruth[i] = random.uniform() < 0.6 ? 1 : 0;
    batch.lesionTruth[i] = random.uniform() < 0.1 * seed ? 1 : 0;
    batch.lungWeight[i] = random.between(0.5, 2);
    batch.lesionWeight[i] = random.between(0.5, 2);
  }
  return batch;
}

async function gradientsOf(
  learner: PatientLearner,
  batches: Iterable<Batch>,
): Promise<Float32Array[]> {
  const gradients: Float32Array[] = [];
  for await (const gradient of learner.gradients(batches, weights))
    gradients.push(gradient.slice());
  return gradients;
}

describe.each([1, 2])('with %i threads', (threads) => {
  const engine = createOnnxEngine({ threads });
  afterAll(() => engine.close());
  const learner = createPatientLearner(engine, task, slices, trained, () => undefined);

  test('a patient’s gradient has the same bits wherever it is computed and whoever is there', async () => {
    expect(learner.together).toBe(8);
    const alone = await Promise.all(
      [1, 2, 3, 4, 5].map(async (seed) => (await gradientsOf(learner, [patient(seed)]))[0]),
    );
    const drawn = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 11 });
    await fc.assert(
      fc.asyncProperty(drawn, async (seeds) => {
        const got = await gradientsOf(learner, seeds.map(patient));
        expect(got).toEqual(seeds.map((seed) => alone[seed - 1]));
      }),
      { seed: 1, numRuns: 25 },
    );
  });
});

/** Any Vulkan device will do, a software one included (VK_ICD_FILENAMES). */
async function webgpuEngine(): Promise<Engine | null> {
  try {
    return await createEngine('onnx-webgpu', { allowSoftware: true });
  } catch (error) {
    if (error instanceof ComputeError && error.code === 'PROVIDER_MISSING') return null;
    throw error;
  }
}
const webgpu = await webgpuEngine();
afterAll(() => webgpu?.close());

test.skipIf(webgpu === null)(
  'and so it has on WebGPU, where more go together (needs a Vulkan device)',
  async () => {
    const learner = createPatientLearner(webgpu as Engine, task, slices, trained, () => undefined);
    expect(learner.together).toBe(16);
    const alone = [1, 2, 3].map(async (seed) => (await gradientsOf(learner, [patient(seed)]))[0]);
    const [first, second, third] = [await alone[0], await alone[1], await alone[2]];
    const got = await gradientsOf(learner, [3, 2, 2, 1, 3, 1].map(patient));
    expect(got).toEqual([third, second, second, first, third, first]);
    expect(first).not.toEqual(second);
    await learner.close();
  },
  120_000,
);

describe('patients together', () => {
  const engine = createOnnxEngine();
  afterAll(() => engine.close());

  test('have the gradients that single runs give, of their own mean', async () => {
    const together = createPatientLearner(engine, task, slices, trained, () => undefined);
    // A patient of so many slices has a run to itself.
    const wide: LesionTask = { ...task, network: { ...task.network, size: 64, cropSize: 64 } };
    expect(createPatientLearner(engine, wide, slices, trained, () => undefined).together).toBe(1);
    const model = createLesionModel(engine, task);
    for (const seed of [1, 4]) {
      const [joint] = await gradientsOf(together, [patient(seed)]);
      // Slice by slice: the mean of what each slice gives as a patient of one.
      const single = model.patientLearner(1, trained);
      const mean = new Float64Array(single.layout.length);
      for (let slice = 0; slice < slices; slice++) {
        const part = Object.fromEntries(
          Object.entries(patient(seed)).map(([name, values]: [string, Float32Array]) => {
            const size = values.length / slices;
            return [name, values.slice(slice * size, (slice + 1) * size)];
          }),
        ) as unknown as Batch;
        const [gradient] = await gradientsOf(single, [part]);
        for (const [i, value] of (gradient ?? []).entries())
          mean[i] = (mean[i] ?? 0) + value / slices;
      }
      const error = Math.hypot(...mean.map((value, i) => value - (joint?.[i] ?? 0)));
      expect(error / Math.hypot(...mean)).toBeLessThan(1e-5);
    }
    await model.close();
  });

  test('are drawn run by run: no more of them are asked for than one run takes', async () => {
    const learner = createPatientLearner(engine, task, slices, trained, () => undefined);
    let asked = 0;
    function* batches(): Generator<Batch> {
      for (let i = 0; i < 20; i++) {
        asked += 1;
        yield patient(1);
      }
    }
    let received = 0;
    for await (const _ of learner.gradients(batches(), weights)) {
      received += 1;
      expect(asked).toBeLessThanOrEqual(received + learner.together - 1);
    }
    expect(received).toBe(20);
    expect(await gradientsOf(learner, [])).toEqual([]);
    await learner.close();
  });
});
