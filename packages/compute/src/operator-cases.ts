import { createGraph, type GraphBuilder } from './builder.ts';
import { differentiate } from './differentiate.ts';
import { type Graph, layoutOf, nodeAt, type Shape, sizeOf } from './graph.ts';
import type { Value } from './graph-assembly.ts';

/**
 * One small graph per operator (and per geometry that has code of its own), shared by the tests of every engine.
 * `build` makes the operator's result from parameters, so that the gradient by each of its arguments is checked.
 */
export interface OperatorCase {
  readonly name: string;
  readonly build: (g: GraphBuilder, parameter: (shape: Shape) => Value) => Value;
}

const image: Shape = [2, 4, 6, 4];

export const operatorCases: readonly OperatorCase[] = [
  { name: 'add', build: (g, p) => g.add(p(image), p(image)) },
  { name: 'add of one value to itself', build: (g, p) => twice(p(image), (x) => g.add(x, x)) },
  { name: 'mul', build: (g, p) => g.mul(p(image), p(image)) },
  { name: 'mul of one value by itself', build: (g, p) => twice(p(image), (x) => g.mul(x, x)) },
  { name: 'scale', build: (g, p) => g.scale(p(image), -2.5) },
  { name: 'relu', build: (g, p) => g.relu(p(image)) },
  { name: 'silu', build: (g, p) => g.silu(p(image)) },
  { name: 'sigmoid', build: (g, p) => g.sigmoid(p(image)) },
  { name: 'sum', build: (g, p) => g.sum(p(image)) },
  { name: 'mean', build: (g, p) => g.mean(p(image)) },
  { name: 'constant', build: (g, p) => g.mul(p(image), g.constant(1.5, image)) },
  { name: 'maxPool2d', build: (g, p) => g.maxPool2d(p(image)) },
  { name: 'maxPool2d of 3', build: (g, p) => g.maxPool2d(p([2, 3, 6, 9]), 3) },
  { name: 'avgPool2d', build: (g, p) => g.avgPool2d(p(image)) },
  { name: 'upsample2d', build: (g, p) => g.upsample2d(p(image)) },
  { name: 'upsample2d by 3', build: (g, p) => g.upsample2d(p(image), 3) },
  { name: 'upsampleBilinear2d', build: (g, p) => g.upsampleBilinear2d(p([2, 2, 3, 5])) },
  {
    name: 'upsampleBilinear2d of a single row',
    build: (g, p) => g.upsampleBilinear2d(p([1, 2, 1, 4])),
  },
  { name: 'concat', build: (g, p) => g.concat([p(image), p([2, 1, 6, 4]), p(image)]) },
  { name: 'sliceChannels', build: (g, p) => g.sliceChannels(p(image), 1, 3) },
  { name: 'sliceChannels from the first', build: (g, p) => g.sliceChannels(p(image), 0, 1) },
  { name: 'sliceChannels to the last', build: (g, p) => g.sliceChannels(p(image), 2, 4) },
  {
    name: 'conv2d 3×3 to more channels',
    build: (g, p) => g.conv2d(p([2, 3, 6, 5]), p([4, 3, 3, 3]), p([4])),
  },
  {
    name: 'conv2d 3×3 to fewer channels',
    build: (g, p) => g.conv2d(p([2, 4, 6, 5]), p([2, 4, 3, 3])),
  },
  { name: 'conv2d 1×1', build: (g, p) => g.conv2d(p(image), p([3, 4, 1, 1]), p([3])) },
  {
    name: 'conv2d without padding',
    build: (g, p) => g.conv2d(p([2, 2, 6, 5]), p([3, 2, 3, 3]), null, { padding: 0 }),
  },
  {
    name: 'conv2d to fewer channels without padding',
    build: (g, p) => g.conv2d(p([2, 3, 6, 5]), p([2, 3, 3, 3]), null, { padding: 0 }),
  },
  { name: 'conv2d 5×5', build: (g, p) => g.conv2d(p([1, 2, 7, 6]), p([3, 2, 5, 5])) },
  {
    name: 'conv2d with stride 2 on an even image',
    build: (g, p) => g.conv2d(p([2, 2, 6, 8]), p([3, 2, 3, 3]), p([3]), { stride: 2 }),
  },
  {
    name: 'conv2d with stride 2 on an odd image',
    build: (g, p) => g.conv2d(p([2, 4, 7, 5]), p([2, 4, 3, 3]), null, { stride: 2 }),
  },
  {
    name: 'conv2d 1×1 with stride 2',
    build: (g, p) => g.conv2d(p([2, 2, 6, 8]), p([3, 2, 1, 1]), null, { stride: 2 }),
  },
  {
    name: 'conv2d 2×2 with stride 2',
    build: (g, p) => g.conv2d(p([2, 2, 6, 8]), p([3, 2, 2, 2]), null, { stride: 2, padding: 0 }),
  },
  {
    name: 'conv2d with stride 3 that leaves pixels out',
    build: (g, p) => g.conv2d(p([2, 2, 8, 9]), p([3, 2, 3, 3]), null, { stride: 3, padding: 0 }),
  },
  {
    name: 'conv2d with dilation 2',
    build: (g, p) => g.conv2d(p([2, 2, 7, 6]), p([3, 2, 3, 3]), p([3]), { dilation: 2 }),
  },
  {
    name: 'conv2d with dilation 2 and stride 2',
    build: (g, p) => g.conv2d(p([2, 2, 9, 8]), p([2, 2, 3, 3]), null, { dilation: 2, stride: 2 }),
  },
  {
    name: 'conv2d in groups',
    build: (g, p) => g.conv2d(p([2, 4, 6, 5]), p([6, 2, 3, 3]), p([6]), { groups: 2 }),
  },
  {
    name: 'conv2d in groups with stride 2',
    build: (g, p) => g.conv2d(p([2, 4, 6, 8]), p([2, 2, 3, 3]), null, { groups: 2, stride: 2 }),
  },
  {
    name: 'conv2d depthwise',
    build: (g, p) => g.conv2d(p([2, 4, 6, 5]), p([4, 1, 3, 3]), p([4]), { groups: 4 }),
  },
  {
    name: 'convTranspose2d with stride 2',
    build: (g, p) => g.convTranspose2d(p([2, 3, 3, 4]), p([3, 2, 2, 2]), p([2]), { stride: 2 }),
  },
  {
    name: 'convTranspose2d with outputPadding, in groups',
    build: (g, p) =>
      g.convTranspose2d(p([2, 4, 3, 4]), p([4, 3, 3, 3]), null, {
        ...{ stride: 2, padding: 1, outputPadding: 1, groups: 2 },
      }),
  },
  {
    name: 'convTranspose2d with stride 1 and dilation 2',
    build: (g, p) =>
      g.convTranspose2d(p([1, 2, 4, 5]), p([2, 3, 3, 3]), p([3]), { padding: 1, dilation: 2 }),
  },
  {
    name: 'conv3d',
    build: (g, p) => g.conv3d(p([2, 2, 3, 5, 4]), p([3, 2, 3, 3, 3]), p([3])),
  },
  {
    name: 'conv3d to fewer channels with stride 2',
    build: (g, p) => g.conv3d(p([1, 3, 4, 6, 5]), p([2, 3, 3, 3, 3]), null, { stride: 2 }),
  },
  {
    name: 'conv3d 1×1×1 in groups',
    build: (g, p) => g.conv3d(p([2, 4, 2, 3, 4]), p([2, 2, 1, 1, 1]), p([2]), { groups: 2 }),
  },
  {
    name: 'convTranspose3d with stride 2',
    build: (g, p) =>
      g.convTranspose3d(p([1, 3, 2, 3, 2]), p([3, 2, 2, 2, 2]), p([2]), { stride: 2 }),
  },
  { name: 'maxPool3d', build: (g, p) => g.maxPool3d(p([1, 2, 4, 6, 2])) },
  { name: 'avgPool3d', build: (g, p) => g.avgPool3d(p([1, 2, 4, 6, 2])) },
  { name: 'upsample3d', build: (g, p) => g.upsample3d(p([1, 2, 2, 3, 2])) },
  {
    name: 'groupNorm of three axes',
    build: (g, p) => g.groupNorm(p([2, 4, 3, 2, 4]), p([4]), p([4]), 2),
  },
  { name: 'instanceNorm', build: (g, p) => g.instanceNorm(p(image), p([4]), p([4])) },
  { name: 'globalAvgPool', build: (g, p) => g.globalAvgPool(p(image)) },
  { name: 'globalMaxPool', build: (g, p) => g.globalMaxPool(p(image)) },
  { name: 'leakyRelu', build: (g, p) => g.leakyRelu(p(image), 0.2) },
  { name: 'softmax', build: (g, p) => g.softmax(p(image)) },
  { name: 'softmax of features', build: (g, p) => g.softmax(p([3, 5])) },
  { name: 'dense', build: (g, p) => g.dense(p([3, 5]), p([4, 5]), p([4])) },
  {
    name: 'dense without bias, of an image',
    build: (g, p) => g.dense(g.flatten(p([2, 2, 3, 2])), p([3, 12])),
  },
  { name: 'slice of rows', build: (g, p) => g.slice(p(image), 2, 1, 4) },
  { name: 'pad of columns', build: (g, p) => g.pad(p(image), 3, 1, 2) },
  { name: 'pad of channels', build: (g, p) => g.pad(p([2, 2, 3, 2]), 1, 0, 3) },
  { name: 'dropout', build: (g, p) => g.dropout(p(image), g.input('seed', []), 0.4) },
  { name: 'groupNorm', build: (g, p) => g.groupNorm(p(image), p([4]), p([4]), 2) },
  { name: 'groupNorm of one group', build: (g, p) => g.groupNorm(p(image), p([4]), p([4]), 1) },
  {
    name: 'groupNorm of single channels',
    build: (g, p) => g.groupNorm(p(image), p([4]), p([4]), 4),
  },
  {
    name: 'groupNorm with a site-local part of scale and shift',
    build: (g, p) => g.groupNorm(p(image), g.add(p([4]), p([4])), g.add(p([4]), p([4])), 2),
  },
  { name: 'bceWithLogits', build: (g, p) => g.bceWithLogits(p(image), target(g)) },
  {
    name: 'bceWithLogits with weights',
    build: (g, p) => g.bceWithLogits(p(image), target(g), g.input('weight', image)),
  },
  { name: 'softDiceLoss', build: (g, p) => g.softDiceLoss(p(image), target(g)) },
  { name: 'focalLoss', build: (g, p) => g.focalLoss(p(image), target(g)) },
  {
    name: 'focalLoss of other shape',
    build: (g, p) => g.focalLoss(p(image), target(g), { alpha: 0.7, gamma: 1.5 }),
  },
  {
    name: 'focalLoss without focus',
    build: (g, p) => g.focalLoss(p(image), target(g), { alpha: 0.5, gamma: 0 }),
  },
  { name: 'smoothL1Loss', build: (g, p) => g.smoothL1Loss(p(image), target(g), { beta: 0.7 }) },
  {
    name: 'softDiceLoss of three axes',
    build: (g, p) => g.softDiceLoss(p([2, 3, 2, 3, 4]), g.input('target', [2, 3, 2, 3, 4])),
  },
  {
    name: 'softDiceLoss of every sample',
    build: (g, p) => g.softDiceLoss(p(image), target(g), { over: 'sample', smooth: 0.5 }),
  },
];

function twice(x: Value, use: (x: Value) => Value): Value {
  return use(x);
}

function target(g: GraphBuilder): Value {
  return g.input('target', image);
}

/** The case's result against a fixed random direction: a scalar that depends on every value of it. */
export function caseGraph({ build }: OperatorCase): Graph {
  const g = createGraph();
  let count = 0;
  const y = build(g, (shape) => g.parameter(`p${count++}`, shape));
  g.output('result', y);
  g.output('loss', g.sum(g.mul(y, g.input('direction', y.shape))));
  return differentiate(g.build(), 'loss');
}

/**
 * `length` distinct values in (−2, 2), none within 2 / length of another or 1 / length of 0, in an order that `seed` draws:
 * differences then do not step over the kinks of relu and max pool.
 */
function spacedValues(length: number, seed: number): Float64Array {
  const random = createRandom(seed);
  const values = Float64Array.from({ length }, (_, i) => (4 * (i - length / 2 + 0.25)) / length);
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [values[i], values[j]] = [values[j] ?? 0, values[i] ?? 0];
  }
  // Single precision, so that engines of float32 get exactly the same numbers.
  return Float64Array.from(Float32Array.from(values));
}

/** Uniform in [0, 1) from a 32-bit seed. @see Steele et al. 2014, SplitMix (mulberry32 variant) */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Inputs and weights for a graph; inputs named `target` are in [0, 1], one named `seed` is a whole number. */
export function drawFeeds(
  graph: Graph,
  seed: number,
): { inputs: Record<string, Float64Array>; weights: Float64Array } {
  const inputs: Record<string, Float64Array> = {};
  for (const [place, index] of graph.inputs.entries()) {
    const { name, shape } = nodeAt(graph.nodes, index);
    const values = spacedValues(sizeOf(shape), seed + place);
    if (name === 'target') inputs[name] = values.map((value) => (value + 2) / 4);
    else inputs[name] = name === 'seed' ? Float64Array.of(seed) : values;
  }
  const weights = new Float64Array(layoutOf(graph).length);
  for (const [place, { offset, length }] of layoutOf(graph).tensors.entries()) {
    weights.set(spacedValues(length, seed + 1000 + place), offset);
  }
  return { inputs, weights };
}

export function toSingle(
  values: Readonly<Record<string, Float64Array>>,
): Record<string, Float32Array> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, Float32Array.from(value)]),
  );
}

/** ‖a − b‖ / ‖b‖ (or ‖a − b‖ where b is zero). */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < a.length; i++) {
    difference += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
    norm += (b[i] ?? 0) ** 2;
  }
  return Math.sqrt(difference) / (Math.sqrt(norm) || 1);
}
