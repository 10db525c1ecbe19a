import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { blockedChannels } from './blocked-channels.ts';
import { blockedDomain } from './blocked-values.ts';
import { createGraph, type GraphBuilder } from './builder.ts';
import { differentiate } from './differentiate.ts';
import type { Graph, Shape } from './graph.ts';
import type { Value } from './graph-assembly.ts';
import { createOnnxEngine } from './onnx-engine.ts';
import {
  caseGraph,
  drawFeeds,
  type OperatorCase,
  relativeError,
  toSingle,
} from './operator-cases.ts';
import { interpret } from './reference.ts';
import { toOnnx } from './to-onnx.ts';

// Where the runtime has no blocked layout these graphs run in the standard one, and must agree just as well.
const block = await blockedChannels();
const b = block ?? 16;
const engine = createOnnxEngine({ threads: 2 });
afterAll(() => engine.close());

async function expectAgreement(graph: Graph, tolerance: number): Promise<void> {
  const { inputs, weights } = drawFeeds(graph, 7);
  const expected = interpret(graph, inputs, weights);
  const program = await engine.compile(graph);
  const { outputs, gradient } = await program.run(toSingle(inputs), Float32Array.from(weights));
  const again = await program.run(toSingle(inputs), Float32Array.from(weights));
  await program.close();
  expect(again).toEqual({ outputs, gradient });
  const { result, loss } = expected.outputs;
  // Where there is a result, the loss is its sum in a random direction: most of it cancels.
  for (const [name, values] of Object.entries(result ? { result } : { loss: loss ?? [] })) {
    expect(relativeError(outputs[name] ?? [], values)).toBeLessThan(tolerance);
  }
  expect(relativeError(gradient ?? [], expected.gradient ?? [])).toBeLessThan(tolerance);
}

function usesBlocks(graph: Graph): boolean {
  return Buffer.from(toOnnx(graph, { target: 'cpu', block: b })).includes(blockedDomain);
}

type Parameter = (shape: Shape) => Value;

/** A convolution to whole blocks before what is tried, so that it meets a blocked image with depth. */
function deepImage(
  g: GraphBuilder,
  p: Parameter,
  channels: number,
  spatial: readonly number[] = [3, 4, 5],
  samples = 2,
): Value {
  return g.conv3d(p([samples, 3, ...spatial]), p([channels, 3, 1, 1, 1]));
}

const cases: OperatorCase[] = [
  {
    name: 'add, mul, scale and the activations',
    build: (g, p) => {
      const x = deepImage(g, p, b);
      return g.silu(g.mul(g.sigmoid(g.scale(x, 0.1)), g.add(g.relu(x), p([2, b, 3, 4, 5]))));
    },
  },
  {
    name: 'two convolutions with group norm and relu',
    build: (g, p) => {
      let x = p([2, 2, 3, 5, 4]);
      for (const inner of [2, b]) {
        const y = g.conv3d(x, p([b, inner, 3, 3, 3]), p([b]));
        x = g.relu(g.groupNorm(y, p([b]), p([b]), 4));
      }
      return x;
    },
  },
  {
    name: 'relu of a convolution with several blocks',
    build: (g, p) => g.relu(g.conv3d(deepImage(g, p, b), p([2 * b, b, 3, 3, 3]), p([2 * b]))),
  },
  {
    name: 'the sum of two convolutions',
    build: (g, p) => {
      const x = deepImage(g, p, b);
      return g.add(g.conv3d(x, p([b, b, 3, 3, 3])), g.conv3d(x, p([b, b, 3, 3, 3]), p([b])));
    },
  },
  {
    name: 'groupNorm of single channels',
    build: (g, p) => g.groupNorm(deepImage(g, p, b), p([b]), p([b]), b),
  },
  {
    name: 'groupNorm and relu, groups across blocks',
    build: (g, p) => g.relu(g.groupNorm(deepImage(g, p, 2 * b), p([2 * b]), p([2 * b]), 1)),
  },
  { name: 'maxPool3d', build: (g, p) => g.maxPool3d(deepImage(g, p, 2 * b, [4, 2, 6])) },
  {
    name: 'globalMaxPool of a plane',
    build: (g, p) => g.globalMaxPool(deepImage(g, p, b, [1, 4, 6])),
  },
  {
    name: 'globalMaxPool of a column',
    build: (g, p) => g.globalMaxPool(deepImage(g, p, 2 * b, [6, 1, 1])),
  },
  { name: 'maxPool3d by 3', build: (g, p) => g.maxPool3d(deepImage(g, p, b, [6, 3, 9]), 3) },
  { name: 'avgPool3d', build: (g, p) => g.avgPool3d(deepImage(g, p, b, [4, 6, 2])) },
  { name: 'upsample3d', build: (g, p) => g.upsample3d(deepImage(g, p, 2 * b, [3, 2, 2])) },
  {
    name: 'a convolution of whole blocks that were joined',
    build: (g, p) => {
      const joined = g.concat([deepImage(g, p, 2 * b), deepImage(g, p, b)]);
      return g.conv3d(joined, p([b, 3 * b, 3, 3, 3]), p([b]));
    },
  },
  {
    name: 'group norm of whole blocks that were joined',
    build: (g, p) => {
      const joined = g.concat([deepImage(g, p, 2 * b), deepImage(g, p, b)]);
      return g.groupNorm(joined, p([3 * b]), p([3 * b]), 3);
    },
  },
  {
    name: 'a convolution of joined channels that fill no block',
    build: (g, p) => {
      const joined = g.concat([deepImage(g, p, b), p([2, 3, 3, 4, 5])]);
      return g.conv3d(joined, p([b, b + 3, 3, 3, 3]), p([b]));
    },
  },
  {
    name: 'a block of channels cut out',
    build: (g, p) => g.sliceChannels(deepImage(g, p, 3 * b), b, 2 * b),
  },
  {
    name: 'channels cut out across blocks',
    build: (g, p) => g.sliceChannels(deepImage(g, p, 2 * b), 3, b + 3),
  },
  {
    name: 'planes cut off and added',
    build: (g, p) => g.relu(g.pad(g.slice(deepImage(g, p, b), 2, 1, 3), 2, 1, 2)),
  },
  {
    name: 'a convolution to fewer channels than a block',
    build: (g, p) => g.conv3d(deepImage(g, p, b), p([3, b, 3, 3, 3]), p([3])),
  },
  {
    name: 'a convolution of single pixels to fewer channels than a block',
    build: (g, p) => g.conv3d(deepImage(g, p, b), p([1, b, 1, 1, 1]), p([1])),
  },
  {
    name: 'group norm and pool of fewer channels than a block',
    build: (g, p) => {
      const few = g.conv3d(deepImage(g, p, b, [2, 4, 6]), p([4, b, 3, 3, 3]), p([4]));
      return g.maxPool3d(g.relu(g.groupNorm(few, p([4]), p([4]), 2)));
    },
  },
  {
    name: 'mean of fewer channels than a block',
    build: (g, p) => g.mean(g.conv3d(deepImage(g, p, b), p([3, b, 3, 3, 3]), p([3]))),
  },
  { name: 'sum', build: (g, p) => g.sum(deepImage(g, p, b)) },
  { name: 'mean', build: (g, p) => g.mean(deepImage(g, p, b)) },
  {
    name: 'pooled to rows',
    build: (g, p) => g.dense(g.globalAvgPool(deepImage(g, p, b)), p([3, b]), p([3])),
  },
];

describe.each(cases)('$name', (operator) => {
  const graph = caseGraph(operator);

  test('agrees with float64 on blocked images with depth, forward and backward', async () => {
    expect(usesBlocks(graph)).toBe(true);
    await expectAgreement(graph, 3e-6);
  });
});

test.each([
  ['of 3×3×3', {}, true],
  ['strided', { stride: 2 }, false],
  ['dilated', { dilation: 2 }, false],
  ['grouped', { groups: 2 }, false],
] as const)('whether the convolution %s is on blocks, given %j: %s', (_, options, expected) => {
  const g = createGraph();
  const inner = 'groups' in options ? b / 2 : b;
  const w = g.parameter('w', [b, inner, 3, 3, 3]);
  g.output('y', g.conv3d(g.input('x', [1, b, 4, 6, 6]), w, null, options));
  expect(usesBlocks(g.build())).toBe(expected);
});

test('a convolution of any geometry agrees with float64 on blocked images with depth', async () => {
  const geometries = fc.record({
    n: fc.constantFrom(1, 2, 3),
    channels: fc.constantFrom(1, 3, b, 2 * b),
    out: fc.constantFrom(1, b, 2 * b),
    kernel: fc.integer({ min: 1, max: 4 }),
    padding: fc.nat({ max: 3 }),
    bias: fc.boolean(),
    depth: fc.constantFrom(1, 2, 5, b + 1),
    height: fc.integer({ min: 3, max: 6 }),
    width: fc.integer({ min: 3, max: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(geometries, async (init) => {
      const { n, channels, out, kernel, bias, depth, height, width } = init;
      const padding = Math.min(init.padding, kernel - 1);
      fc.pre(Math.min(depth, height, width) + 2 * padding >= kernel);
      const size = [kernel, kernel, kernel];
      const graph = caseGraph({
        name: 'conv3d',
        build: (g, p) => {
          const x = p([n, channels, depth, height, width]);
          return g.conv3d(x, p([out, channels, ...size]), bias ? p([out]) : null, { padding });
        },
      });
      await expectAgreement(graph, 1e-5);
    }),
    { seed: 1, numRuns: 50 },
  );
}, 120_000);

// Planes of this size are cut into two strips; 9 planes then make groups that fill one block and a part of a second.
test.each([
  ['one channel', 1, b, 9],
  ['a block', b, 1, 9],
  ['a block', b, b, 2],
])(
  'the weight gradient of large planes of %s, in strips, agrees',
  async (_, channels, out, depth) => {
    const graph = caseGraph({
      name: 'conv3d',
      build: (g, p) => {
        const x = p([1, 1, depth, 72, 80]);
        const image = channels === 1 ? x : g.conv3d(x, p([channels, 1, 1, 1, 1]));
        return g.conv3d(image, p([out, channels, 3, 3, 3]));
      },
    });
    await expectAgreement(graph, 1e-5);
  },
  120_000,
);

test('group norm of images with depth keeps its digits where the mean is ten deviations away', async () => {
  const spatial = [9, 16, 12];
  const size = 2 * 9 * 16 * 12;
  const graph = caseGraph({
    name: 'groupNorm',
    build: (g, p) => {
      const x = g.conv3d(p([2, 1, ...spatial]), p([b, 1, 1, 1, 1]), p([b]));
      return g.groupNorm(x, p([b]), p([b]), 2);
    },
  });
  const { inputs, weights } = drawFeeds(graph, 5);
  for (let i = 0; i < b; i++) weights[size + b + i] = 12;
  const expected = interpret(graph, inputs, weights);
  const program = await engine.compile(graph);
  const { outputs, gradient } = await program.run(toSingle(inputs), Float32Array.from(weights));
  expect(relativeError(outputs['result'] ?? [], expected.outputs['result'] ?? [])).toBeLessThan(
    1e-5,
  );
  expect(relativeError(gradient ?? [], expected.gradient ?? [])).toBeLessThan(1e-4);
});

/** A small U-Net over three axes, with a loss. */
function deepUNet(spatial: readonly [number, number, number], samples: number): GraphBuilder {
  const g = createGraph();
  const shape = [samples, 1, ...spatial];
  const layer = (x: Value, name: string, inner: number, out: number): Value => {
    const y = g.conv3d(x, g.parameter(`${name}/w`, [out, inner, 3, 3, 3]));
    const scale = g.parameter(`${name}/scale`, [out]);
    const shift = g.parameter(`${name}/shift`, [out]);
    return g.silu(g.groupNorm(y, scale, shift, 4));
  };
  const top = layer(g.input('image', shape), 'top', 1, b);
  const low = layer(g.avgPool3d(top), 'low', b, 2 * b);
  const joined = g.concat([g.upsample3d(low), top]);
  const last = layer(joined, 'last', 3 * b, b);
  const logits = g.conv3d(last, g.parameter('head/w', [1, b, 1, 1, 1]), g.parameter('head/b', [1]));
  const target = g.input('target', shape);
  const dice = g.softDiceLoss(logits, target, { over: 'sample' });
  g.output('loss', g.add(g.bceWithLogits(logits, target), dice));
  return g;
}

test.each([
  [[4, 2, 6], 2],
  [[2, 4, 4], 3],
] as const)('a U-Net on images of %j in batches of %i agrees', async (spatial, samples) => {
  const graph = differentiate(deepUNet(spatial, samples).build(), 'loss');
  expect(usesBlocks(graph)).toBe(true);
  await expectAgreement(graph, 1e-5);
});

test.each([1, 3])(
  'gradients of %i examples agree on blocked images with depth',
  async (examples) => {
    const graph = deepUNet([2, 4, 2], 3).build();
    await expectAgreement(differentiate(graph, 'loss', { perExample: { examples } }), 1e-5);
  },
);

test.each<[string, (g: GraphBuilder, p: Parameter) => Value]>([
  ['strided', (g, p) => g.conv3d(deepImage(g, p, b), p([b, b, 3, 3, 3]), p([b]), { stride: 2 })],
  ['dilated', (g, p) => g.conv3d(deepImage(g, p, b), p([b, b, 3, 3, 3]), p([b]), { dilation: 2 })],
  [
    'grouped',
    (g, p) => g.conv3d(deepImage(g, p, 2 * b), p([b, b, 3, 3, 3]), p([b]), { groups: 2 }),
  ],
  ['transposed', (g, p) => g.convTranspose3d(deepImage(g, p, b), p([b, b, 3, 3, 3]), p([b]))],
  [
    'enlarging',
    (g, p) => g.convTranspose3d(deepImage(g, p, b), p([b, b, 2, 2, 2]), p([b]), { stride: 2 }),
  ],
  ['deepening', (g, p) => g.conv3d(deepImage(g, p, b), p([b, b, 2, 2, 2]), p([b]), { padding: 1 })],
  ['uneven', (g, p) => g.conv3d(deepImage(g, p, b), p([b + 3, b, 3, 3, 3]), p([b + 3]))],
  ['softmax', (g, p) => g.softmax(deepImage(g, p, b))],
])('a blocked image with depth that goes into a %s layer agrees', async (_, build) => {
  await expectAgreement(caseGraph({ name: 'deep', build }), 1e-5);
});
