import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { blockedChannels } from './blocked-channels.ts';
import { blockedDomain } from './blocked-values.ts';
import { createGraph, type GraphBuilder } from './builder.ts';
import { differentiate } from './differentiate.ts';
import { exposeDropout } from './expose-dropout.ts';
import type { Graph } from './graph.ts';
import type { Value } from './graph-assembly.ts';
import { createOnnxEngine } from './onnx-engine.ts';
import {
  caseGraph,
  drawFeeds,
  type OperatorCase,
  operatorCases,
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
  const { graph: exposed } = exposeDropout(graph);
  return Buffer.from(toOnnx(exposed, { target: 'cpu', block: b })).includes(blockedDomain);
}

/** A convolution to whole blocks before what is tried, so that it meets a blocked image. */
function blockedImage(
  g: GraphBuilder,
  p: (shape: readonly number[]) => Value,
  channels: number,
  [height, width]: readonly [number, number] = [4, 6],
): Value {
  return g.conv2d(p([2, 3, height, width]), p([channels, 3, 1, 1]));
}

const cases: OperatorCase[] = [
  {
    name: 'add, mul, scale and the activations',
    build: (g, p) => {
      const x = blockedImage(g, p, b);
      return g.silu(g.mul(g.sigmoid(g.scale(x, 0.1)), g.add(g.relu(x), p([2, b, 4, 6]))));
    },
  },
  { name: 'relu of a convolution', build: (g, p) => g.relu(blockedImage(g, p, 2 * b)) },
  {
    name: 'the sum of two convolutions',
    build: (g, p) => g.add(blockedImage(g, p, b), blockedImage(g, p, b)),
  },
  {
    name: 'an image twice in a sum',
    build: (g, p) => {
      const x = blockedImage(g, p, b);
      return g.add(x, x);
    },
  },
  {
    name: 'groupNorm of single channels',
    build: (g, p) => g.groupNorm(blockedImage(g, p, b), p([b]), p([b]), b),
  },
  {
    name: 'groupNorm and relu, groups across blocks',
    build: (g, p) => g.relu(g.groupNorm(blockedImage(g, p, 2 * b), p([2 * b]), p([2 * b]), 1)),
  },
  {
    name: 'groupNorm whose result is used twice',
    build: (g, p) => {
      const x = g.groupNorm(blockedImage(g, p, b), p([b]), p([b]), 2);
      return g.mul(g.relu(x), x);
    },
  },
  { name: 'maxPool2d', build: (g, p) => g.maxPool2d(blockedImage(g, p, b, [6, 9]), 3) },
  { name: 'avgPool2d', build: (g, p) => g.avgPool2d(blockedImage(g, p, b), 2) },
  { name: 'upsample2d', build: (g, p) => g.upsample2d(blockedImage(g, p, b), 3) },
  {
    name: 'upsampleBilinear2d',
    build: (g, p) => g.upsampleBilinear2d(blockedImage(g, p, b)),
  },
  {
    name: 'a convolution of whole blocks that were joined',
    build: (g, p) => {
      const joined = g.concat([blockedImage(g, p, 2 * b), blockedImage(g, p, b)]);
      return g.conv2d(joined, p([b, 3 * b, 3, 3]), p([b]));
    },
  },
  {
    name: 'a convolution of joined channels that fill no block',
    build: (g, p) => {
      const joined = g.concat([blockedImage(g, p, b), p([2, 3, 4, 6])]);
      return g.conv2d(joined, p([b, b + 3, 3, 3]), p([b]));
    },
  },
  {
    name: 'a convolution to fewer channels than a block',
    build: (g, p) => g.conv2d(blockedImage(g, p, b), p([3, b, 3, 3]), p([3])),
  },
  {
    name: 'group norm and pool of fewer channels than a block',
    build: (g, p) => {
      const few = g.conv2d(blockedImage(g, p, b, [4, 6]), p([4, b, 3, 3]), p([4]));
      return g.maxPool2d(g.relu(g.groupNorm(few, p([4]), p([4]), 2)));
    },
  },
  {
    name: 'mean of fewer channels than a block',
    build: (g, p) => g.mean(g.conv2d(blockedImage(g, p, b), p([3, b, 3, 3]), p([3]))),
  },
  { name: 'sum', build: (g, p) => g.sum(blockedImage(g, p, b)) },
  { name: 'mean', build: (g, p) => g.mean(blockedImage(g, p, b)) },
];

describe.each(cases)('$name', (operator) => {
  const graph = caseGraph(operator);

  test('agrees with float64 on blocked images, forward and backward', async () => {
    expect(usesBlocks(graph)).toBe(true);
    await expectAgreement(graph, 3e-6);
  });
});

test('a convolution of any geometry agrees with float64 on blocked images', async () => {
  const geometries = fc.record({
    n: fc.constantFrom(1, 2, 3, b + 1),
    channels: fc.constantFrom(1, 3, b, 2 * b),
    out: fc.constantFrom(1, b, 2 * b),
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 3 }),
    padding: fc.nat({ max: 3 }),
    height: fc.integer({ min: 4, max: 9 }),
    width: fc.integer({ min: 4, max: 9 }),
  });
  await fc.assert(
    fc.asyncProperty(geometries, async (init) => {
      const { n, channels, out, kernel, stride, height, width } = init;
      const padding = Math.min(init.padding, kernel - 1);
      const graph = caseGraph({
        name: 'conv2d',
        build: (g, p) =>
          g.conv2d(p([n, channels, height, width]), p([out, channels, kernel, kernel]), p([out]), {
            stride,
            padding,
          }),
      });
      await expectAgreement(graph, 1e-5);
    }),
    { seed: 1, numRuns: 100 },
  );
});

test.each([
  [3, 56, 64],
  [1, 48, 72],
])(
  'the weight gradient of %i large images, in strips, agrees with float64',
  async (n, h, w) => {
    const graph = caseGraph({
      name: 'conv2d',
      build: (g, p) => g.conv2d(g.conv2d(p([n, 1, h, w]), p([b, 1, 1, 1])), p([2 * b, b, 3, 3])),
    });
    await expectAgreement(graph, 1e-5);
  },
  120_000,
);

test('group norm of blocked images keeps its digits where the mean is ten deviations away', async () => {
  const graph = caseGraph({
    name: 'groupNorm',
    build: (g, p) => {
      const x = g.conv2d(p([2, 1, 32, 32]), p([b, 1, 1, 1]), p([b]));
      return g.groupNorm(x, p([b]), p([b]), 2);
    },
  });
  const { inputs, weights } = drawFeeds(graph, 5);
  for (let i = 0; i < b; i++) weights[2 * 32 * 32 + b + i] = 12;
  const expected = interpret(graph, inputs, weights);
  const program = await engine.compile(graph);
  const { outputs, gradient } = await program.run(toSingle(inputs), Float32Array.from(weights));
  expect(relativeError(outputs['result'] ?? [], expected.outputs['result'] ?? [])).toBeLessThan(
    1e-5,
  );
  expect(relativeError(gradient ?? [], expected.gradient ?? [])).toBeLessThan(1e-4);
});

test('without a block, and for export, the model is standard ONNX', () => {
  const [first] = cases;
  if (first === undefined) throw new TypeError('there are no cases');
  const graph = caseGraph(first);
  for (const init of [{}, { target: 'cpu' }, { target: 'portable', block: b }] as const) {
    expect(Buffer.from(toOnnx(graph, init)).includes(blockedDomain)).toBe(false);
  }
});

test('graphs of small channel counts stay as they are', () => {
  for (const operator of operatorCases) expect(usesBlocks(caseGraph(operator))).toBe(false);
});

test.each([1, 3])('gradients of %i examples agree on blocked images', async (examples) => {
  const g = createGraph();
  const x = g.conv2d(
    g.input('x', [3, 2, 6, 4]),
    g.parameter('first', [b, 2, 3, 3]),
    g.parameter('b1', [b]),
  );
  const normed = g.groupNorm(x, g.parameter('scale', [b]), g.parameter('shift', [b]), 4);
  const second = g.conv2d(
    g.silu(normed),
    g.parameter('second', [b, b, 3, 3]),
    g.parameter('b2', [b]),
  );
  g.output('loss', g.bceWithLogits(second, g.input('target', [3, b, 6, 4])));
  await expectAgreement(differentiate(g.build(), 'loss', { perExample: { examples } }), 1e-5);
});

test.each<[string, (g: GraphBuilder, p: (shape: readonly number[]) => Value) => Value]>([
  ['dilated', (g, p) => g.conv2d(blockedImage(g, p, b), p([b, b, 3, 3]), p([b]), { dilation: 2 })],
  [
    'grouped',
    (g, p) => g.conv2d(blockedImage(g, p, 2 * b), p([b, b, 3, 3]), p([b]), { groups: 2 }),
  ],
  ['depthwise', (g, p) => g.conv2d(blockedImage(g, p, b), p([b, 1, 3, 3]), p([b]), { groups: b })],
  [
    'transposed',
    (g, p) => g.convTranspose2d(blockedImage(g, p, b), p([b, b, 3, 3]), p([b]), { padding: 1 }),
  ],
  [
    'enlarging',
    (g, p) => g.convTranspose2d(blockedImage(g, p, b), p([b, b, 2, 2]), p([b]), { stride: 2 }),
  ],
  [
    'rows cut and edges added',
    (g, p) => g.pad(g.slice(g.relu(blockedImage(g, p, b)), 2, 1, 3), 3, 1, 2),
  ],
  ['leaky', (g, p) => g.leakyRelu(blockedImage(g, p, b), 0.2)],
  ['softmax', (g, p) => g.softmax(blockedImage(g, p, b))],
  ['pooled to rows', (g, p) => g.dense(g.globalAvgPool(blockedImage(g, p, b)), p([3, b]), p([3]))],
])('a blocked image that goes into a %s layer agrees', async (_, build) => {
  await expectAgreement(caseGraph({ name: 'blocked', build }), 1e-5);
});
