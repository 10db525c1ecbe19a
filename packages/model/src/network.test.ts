import { createOnnxEngine, differentiate, type Graph, interpret } from '@consilium/compute';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { type Batch, sampleOf } from './draw-batch.ts';
import { drawPatientSlices } from './draw-patient.ts';
import {
  forwardGraph,
  initialWeights,
  lossGraph,
  networkLayout,
  patientLossGraph,
} from './network.ts';
import type { PreparedPatient } from './prepare.ts';
import { seeded } from './seeded.ts';
import { type LesionTask, smallTask } from './task.ts';

const engine = createOnnxEngine({});
afterAll(() => engine.close());

const task: LesionTask = {
  ...smallTask,
  network: { size: 16, cropSize: 16, slices: 3, channels: [4, 8], groupChannels: 4 },
};
const { network } = task;
const plane = 16 * 16;

/** Slice after slice more lung: none in the first two, which a weight by the lung's size must survive. */
function patientOf(depth: number, seed: number): PreparedPatient {
  const random = seeded('network test', seed);
  const image = Float32Array.from({ length: depth * plane }, () => random.normal());
  const lung = Uint8Array.from({ length: depth * plane }, (_, i) =>
    Math.floor(i / plane) >= 2 && i % 16 < 2 * Math.floor(i / plane) ? 255 : 0,
  );
  const lesion = lung.map((value) => (random.uniform() < 0.3 ? value : 0));
  return {
    size: 16,
    depth,
    image,
    lung,
    lesion,
    lesionSlices: Array.from({ length: depth }, (_, z) => z).filter((z) => z >= 2),
  };
}

function weightsOf(seed: number): Float64Array {
  const random = seeded('network test weights', seed);
  return Float64Array.from(initialWeights(network, seed), (value) => value + 0.1 * random.normal());
}

function gradientOf(graph: Graph, batch: Batch, weights: Float64Array): Float64Array {
  const inputs = Object.fromEntries(
    Object.entries(batch).map(([name, values]) => [name, Float64Array.from(values)]),
  );
  const { gradient } = interpret(differentiate(graph, 'loss'), inputs, weights);
  return gradient ?? new Float64Array();
}

/** The mean over samples of the gradients that `graph` gives for each by itself. */
function meanOfSingles(
  graph: Graph,
  batch: Batch,
  samples: number,
  weights: Float64Array,
): Float64Array {
  const mean = new Float64Array(weights.length);
  for (let sample = 0; sample < samples; sample++) {
    const one = gradientOf(graph, sampleOf(batch, network, sample), weights);
    for (const i of mean.keys()) mean[i] = (mean[i] as number) + (one[i] as number) / samples;
  }
  return mean;
}

function relativeError(a: Float64Array, b: Float64Array): number {
  const norm = (x: Float64Array): number => Math.hypot(...x);
  return norm(a.map((value, i) => value - (b[i] as number))) / norm(b);
}

test.each([
  ['as many slices as there are', 7, 3],
  ['more slices than the patient has', 3, 5],
])('the gradient of a patient is the mean of its slices’ own: %s', (_, depth, slices) => {
  const weights = weightsOf(depth);
  const batch = drawPatientSlices(patientOf(depth, 4), task, slices, seeded(2), 600);
  const together = gradientOf(patientLossGraph(task, slices), batch, weights);
  const mean = meanOfSingles(patientLossGraph(task, 1), batch, slices, weights);
  expect(relativeError(together, mean)).toBeLessThan(1e-10);
});

test('that of a batch is not: its soft Dice looks at all samples at once', () => {
  const weights = weightsOf(5);
  const batch = drawPatientSlices(patientOf(7, 4), task, 3, seeded(2), 600);
  const ofBatch = (samples: number): Graph =>
    lossGraph({ ...task, training: { ...task.training, batch: samples } });
  const together = gradientOf(ofBatch(3), batch, weights);
  expect(relativeError(together, meanOfSingles(ofBatch(1), batch, 3, weights))).toBeGreaterThan(
    1e-3,
  );
});

test('what the network says of a sample does not depend on the others of its batch', async () => {
  const program = await engine.compile(forwardGraph(network, 3));
  const weights = Float32Array.from(weightsOf(1));
  const random = seeded('independence');
  const draw = (): Float32Array =>
    Float32Array.from({ length: 3 * network.slices * plane }, () => 3 * random.normal());
  const each = network.slices * plane;
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 2 }), async (kept) => {
      const image = draw();
      const other = draw();
      other.set(image.subarray(kept * each, (kept + 1) * each), kept * each);
      const { outputs: first } = await program.run({ image }, weights);
      const { outputs: second } = await program.run({ image: other }, weights);
      for (const name of ['lung', 'lesion']) {
        const own = (values: Float32Array | undefined): Float32Array | undefined =>
          values?.subarray(kept * plane, (kept + 1) * plane);
        expect(own(first[name])).toHaveLength(plane);
        expect(own(second[name])).toEqual(own(first[name]));
        expect(second[name]).not.toEqual(first[name]);
      }
    }),
    { seed: 1, numRuns: 20 },
  );
});

test('has no tensor of running statistics: nothing is remembered from batch to batch', () => {
  const kinds = networkLayout(network).tensors.map(({ name }) => name.split('/').at(-1));
  expect([...new Set(kinds)].sort()).toEqual(['bias', 'scale', 'shift', 'weight']);
});
