import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createGraph, GraphBuilder } from './builder.ts';
import { layoutOf, type Shape, sizeOf } from './graph.ts';
import type { Value } from './graph-assembly.ts';
import { createRandom } from './operator-cases.ts';
import { interpret } from './reference.ts';

// The gradient of one patient is that patient's alone only if no layer looks from one sample of a batch at another, as batch
// normalisation does. So every method that makes an image from an image has to be listed here.
const image: Shape = [3, 4, 6, 4];
/** The same number of values for layers over three axes. */
const deepImage: Shape = [3, 4, 2, 6, 2];
const layers: Readonly<Record<string, (g: GraphBuilder, x: Value) => Value>> = {
  conv2d: (g, x) => g.conv2d(x, g.parameter('w', [3, 4, 3, 3]), g.parameter('b', [3])),
  conv3d: (g, x) => g.conv3d(x, g.parameter('w', [3, 4, 3, 3, 3])),
  convTranspose2d: (g, x) =>
    g.convTranspose2d(x, g.parameter('w', [4, 3, 2, 2]), null, { stride: 2 }),
  convTranspose3d: (g, x) =>
    g.convTranspose3d(x, g.parameter('w', [4, 3, 2, 2, 2]), null, { stride: 2 }),
  instanceNorm: (g, x) => g.instanceNorm(x, g.parameter('scale', [4]), g.parameter('shift', [4])),
  leakyRelu: (g, x) => g.leakyRelu(x, 0.2),
  softmax: (g, x) => g.softmax(x),
  dropout: (g, x) => g.dropout(x, g.input('seed', []), 0.4),
  dense: (g, x) => g.dense(g.flatten(x), g.parameter('w', [5, 96])),
  flatten: (g, x) => g.flatten(x),
  maxPool3d: (g, x) => g.maxPool3d(x),
  avgPool3d: (g, x) => g.avgPool3d(x),
  globalAvgPool: (g, x) => g.globalAvgPool(x),
  globalMaxPool: (g, x) => g.globalMaxPool(x),
  upsample3d: (g, x) => g.upsample3d(x),
  slice: (g, x) => g.slice(x, 3, 1, 3),
  pad: (g, x) => g.pad(x, 2, 1, 2),
  groupNorm: (g, x) => g.groupNorm(x, g.parameter('scale', [4]), g.parameter('shift', [4]), 2),
  relu: (g, x) => g.relu(x),
  silu: (g, x) => g.silu(x),
  sigmoid: (g, x) => g.sigmoid(x),
  maxPool2d: (g, x) => g.maxPool2d(x),
  avgPool2d: (g, x) => g.avgPool2d(x),
  upsample2d: (g, x) => g.upsample2d(x),
  upsampleBilinear2d: (g, x) => g.upsampleBilinear2d(x),
  concat: (g, x) => g.concat([x, g.relu(x)]),
  sliceChannels: (g, x) => g.sliceChannels(x, 1, 3),
  add: (g, x) => g.add(x, g.relu(x)),
  mul: (g, x) => g.mul(x, x),
  scale: (g, x) => g.scale(x, -2.5),
};
const sources = ['input', 'parameter', 'constant'];
/** From a whole batch to a scalar: what a loss is made of, and nothing that a layer can read as an image again. */
const reductions = ['sum', 'mean', 'bceWithLogits', 'focalLoss', 'smoothL1Loss', 'softDiceLoss'];
const bookkeeping = [
  'constructor',
  'output',
  'build',
  'own',
  'push',
  'nextName',
  'size',
  'checkInput',
];

test('the builder offers no operator that is not listed here', () => {
  const methods = new Set<string>();
  for (let at = GraphBuilder.prototype; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) methods.add(name);
  }
  const listed = [...Object.keys(layers), ...sources, ...reductions, ...bookkeeping];
  expect([...methods].sort()).toEqual(listed.sort());
});

test.each(reductions)('%s gives a scalar', (name) => {
  const g = createGraph();
  const x = g.input('x', image);
  const results: Readonly<Record<string, () => Value>> = {
    sum: () => g.sum(x),
    mean: () => g.mean(x),
    bceWithLogits: () => g.bceWithLogits(x, g.sigmoid(x)),
    focalLoss: () => g.focalLoss(x, g.sigmoid(x)),
    smoothL1Loss: () => g.smoothL1Loss(x, g.sigmoid(x)),
    softDiceLoss: () => g.softDiceLoss(x, g.sigmoid(x)),
  };
  expect(results[name]?.().shape).toEqual([]);
});

test.each(Object.entries(layers))(
  '%s: what becomes of a sample does not depend on the others',
  (name, layer) => {
    const g = createGraph();
    g.output('y', layer(g, g.input('x', name.endsWith('3d') ? deepImage : image)));
    const graph = g.build();
    const seed = name === 'dropout' ? { seed: Float64Array.of(5) } : {};
    const random = createRandom(3);
    const draw = (length: number): Float64Array =>
      Float64Array.from({ length }, () => 4 * random() - 2);
    const weights = draw(layoutOf(graph).length);
    const each = sizeOf(image) / 3;
    const others = fc.array(fc.double({ min: -9, max: 9, noNaN: true }), {
      minLength: 2 * each,
      maxLength: 2 * each,
    });
    fc.assert(
      fc.property(fc.nat({ max: 2 }), others, (kept, changed) => {
        const x = draw(3 * each);
        const before = interpret(graph, { x, ...seed }, weights).outputs['y'] ?? new Float64Array();
        const after = x.slice();
        let next = 0;
        for (const i of after.keys()) {
          if (Math.floor(i / each) !== kept) after[i] = changed[next++] ?? 0;
        }
        const moved =
          interpret(graph, { x: after, ...seed }, weights).outputs['y'] ?? new Float64Array();
        const own = before.length / 3;
        const [from, to] = [kept * own, (kept + 1) * own];
        expect(own).toBeGreaterThan(0);
        expect(moved.subarray(from, to)).toEqual(before.subarray(from, to));
        expect(moved).not.toEqual(before);
      }),
      { seed: 1, numRuns: 10 },
    );
  },
);
