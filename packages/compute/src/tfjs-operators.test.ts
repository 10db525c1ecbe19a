import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { differentiate } from './differentiate.ts';
import type { Graph } from './graph.ts';
import type { Value } from './graph-assembly.ts';
import { createOnnxEngine } from './onnx-engine.ts';
import { caseGraph, drawFeeds, operatorCases, relativeError, toSingle } from './operator-cases.ts';
import { interpret } from './reference.ts';
import { createTfjsEngine } from './tfjs-engine.ts';

const engine = await createTfjsEngine({ backend: 'wasm' });
afterAll(() => engine.close());

/** The larger relative error of a run against float64, of the output `result` and of the gradient. */
async function errorOf(
  graph: Graph,
  { inputs, weights } = drawFeeds(graph, 11),
): Promise<{ forward: number; backward: number }> {
  const expected = interpret(graph, inputs, weights);
  const program = await engine.compile(graph);
  const { outputs, gradient } = await program.run(toSingle(inputs), Float32Array.from(weights));
  await program.close();
  return {
    forward: relativeError(outputs['result'] ?? [], expected.outputs['result'] ?? []),
    backward: relativeError(gradient ?? [], expected.gradient ?? []),
  };
}

test.each(operatorCases)('$name agrees with float64, forward and backward', async (operator) => {
  const { forward, backward } = await errorOf(caseGraph(operator));
  expect(forward).toBeLessThan(1e-5);
  expect(backward).toBeLessThan(1e-5);
});

/** Convolutions of two or three axes that exist: no kernel larger than the padded image. */
const geometries = fc
  .record({
    axes: fc.constantFrom(2, 3),
    n: fc.integer({ min: 1, max: 3 }),
    groups: fc.integer({ min: 1, max: 3 }),
    inner: fc.integer({ min: 1, max: 3 }),
    outer: fc.integer({ min: 1, max: 3 }),
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    padding: fc.nat({ max: 3 }),
    sizes: fc.tuple(...Array.from({ length: 3 }, () => fc.integer({ min: 4, max: 8 }))),
  })
  .map((init) => ({ ...init, padding: Math.min(init.padding, init.kernel - 1) }))
  .filter(({ kernel, dilation, padding }) => dilation * (kernel - 1) + 1 <= 4 + 2 * padding);

test('a convolution of any geometry agrees with float64', async () => {
  await fc.assert(
    fc.asyncProperty(geometries, async (init) => {
      const { axes, n, groups, inner, outer, kernel, stride, dilation, padding, sizes } = init;
      const graph = caseGraph({
        name: 'conv',
        build: (g, p) => {
          const x = p([n, groups * inner, ...sizes.slice(0, axes)]);
          const w = p([groups * outer, inner, ...Array.from({ length: axes }, () => kernel)]);
          const conv = axes === 2 ? g.conv2d.bind(g) : g.conv3d.bind(g);
          return conv(x, w, p([groups * outer]), { stride, dilation, padding, groups });
        },
      });
      const { forward, backward } = await errorOf(graph);
      expect(Math.max(forward, backward)).toBeLessThan(1e-5);
    }),
    { seed: 1, numRuns: 150 },
  );
});

describe.each([null, 0.4])('gradients by example, clipped to %s', (clipNorm) => {
  test('agree with float64, row by row', async () => {
    const g = createGraph();
    const x = g.input('x', [6, 2, 4, 6]);
    const plane = g.conv2d(x, g.parameter('w', [4, 2, 3, 3]), g.parameter('b', [4]));
    const depthwise = g.conv2d(plane, g.parameter('d', [4, 1, 3, 3]), null, { groups: 4 });
    const normed = g.groupNorm(depthwise, g.parameter('scale', [4]), g.parameter('shift', [4]), 2);
    const features = g.globalAvgPool(g.silu(normed));
    const y = g.dense(features, g.parameter('head', [3, 4]), g.parameter('head/bias', [3]));
    g.output('result', y);
    g.output('loss', g.sum(g.mul(y, g.input('direction', [6, 3]))));
    const perExample = clipNorm === null ? { examples: 3 } : { examples: 3, clipNorm };
    const graph = differentiate(g.build(), 'loss', { perExample });
    const { forward, backward } = await errorOf(graph);
    expect(forward).toBeLessThan(1e-5);
    expect(backward).toBeLessThan(1e-5);
  });
});

test('group norm keeps its digits where the mean is ten deviations away', async () => {
  const graph = caseGraph({
    name: 'groupNorm',
    build: (g, p) => g.groupNorm(p([2, 4, 32, 32]), p([4]), p([4]), 2),
  });
  const feeds = drawFeeds(graph, 5);
  for (let i = 0; i < 2 * 4 * 32 * 32; i++) {
    feeds.weights[i] = Math.fround((feeds.weights[i] ?? 0) + 12);
  }
  const { forward, backward } = await errorOf(graph, feeds);
  expect(forward).toBeLessThan(1e-4);
  expect(backward).toBeLessThan(1e-4);
});

test('a blank image stays finite, and its equal maxima share their gradient', async () => {
  const graph = caseGraph({
    name: 'groupNorm and maxPool',
    build: (g, p) => {
      const x = p([1, 4, 6, 6]);
      return g.add(g.maxPool2d(g.groupNorm(x, p([4]), p([4]), 2), 3), g.maxPool2d(x, 3));
    },
  });
  const feeds = drawFeeds(graph, 5);
  feeds.weights.fill(1000, 0, 4 * 36);
  const { forward, backward } = await errorOf(graph, feeds);
  expect(forward).toBeLessThan(1e-5);
  expect(backward).toBeLessThan(1e-5);
});

test.each(['bceWithLogits', 'focalLoss'] as const)(
  '%s and its gradient stay finite and exact for logits far from zero',
  async (loss) => {
    const g = createGraph();
    const logits = g.parameter('logits', [1, 1, 2, 2]);
    const target = g.input('target', [1, 1, 2, 2]);
    g.output('result', g[loss](logits, target));
    const graph = differentiate(g.build(), 'result');
    const feeds = {
      inputs: { target: Float64Array.of(0, 1, 1, 0) },
      weights: Float64Array.of(200, 200, -200, -200),
    };
    const { forward, backward } = await errorOf(graph, feeds);
    expect(forward).toBeLessThan(1e-6);
    expect(backward).toBeLessThan(1e-6);
  },
);

test('a weight may be computed from others', async () => {
  const graph = caseGraph({
    name: 'conv2d',
    build: (g, p) => {
      const w = g.add(p([4, 3, 3, 2]), g.pad(g.scale(p([4, 2, 3, 2]), 0.5), 1, 1, 0));
      return g.conv2d(p([2, 3, 5, 6]), g.pad(w, 3, 0, 1));
    },
  });
  const { forward, backward } = await errorOf(graph);
  expect(forward).toBeLessThan(1e-5);
  expect(backward).toBeLessThan(1e-5);
});

/** A U-Net of two levels with BCE and Dice. */
function smallUNet(activation: 'relu' | 'silu', pool: 'maxPool2d' | 'avgPool2d'): Graph {
  const g = createGraph();
  const target = g.input('target', [2, 1, 16, 24]);
  const block = (name: string, x: Value, width: number): Value => {
    const w = g.parameter(`${name}/weight`, [width, x.shape[1] ?? 0, 3, 3]);
    const [scale, shift] = [
      g.parameter(`${name}/scale`, [width]),
      g.parameter(`${name}/shift`, [width]),
    ];
    return g[activation](g.groupNorm(g.conv2d(x, w), scale, shift, 4));
  };
  const skip = block('down', g.input('image', [2, 3, 16, 24]), 8);
  const deep = block('deep', g[pool](skip), 16);
  const up = block('up', g.concat([g.upsample2d(deep), skip]), 8);
  const logits = g.conv2d(up, g.parameter('head', [1, 8, 1, 1]), g.parameter('head/bias', [1]));
  g.output('result', g.sigmoid(logits));
  g.output('loss', g.add(g.bceWithLogits(logits, target), g.softDiceLoss(logits, target)));
  return differentiate(g.build(), 'loss');
}

// Where a value lies within rounding of a kink, two engines take different sides of it: hence the wider bound.
test.each([
  ['silu', 'avgPool2d', 1e-4],
  ['relu', 'maxPool2d', 1e-2],
] as const)(
  'a U-Net of %s and %s gives what onnxruntime gives',
  async (activation, pool, bound) => {
    const graph = smallUNet(activation, pool);
    const { inputs, weights } = drawFeeds(graph, 7);
    const onnx = createOnnxEngine();
    const [ours, theirs] = await Promise.all(
      [engine, onnx].map(async (each) =>
        (await each.compile(graph)).run(toSingle(inputs), Float32Array.from(weights)),
      ),
    );
    await onnx.close();
    for (const name of ['result', 'loss']) {
      expect(relativeError(ours?.outputs[name] ?? [], theirs?.outputs[name] ?? [0])).toBeLessThan(
        bound,
      );
    }
    expect(relativeError(ours?.gradient ?? [], theirs?.gradient ?? [0])).toBeLessThan(bound);
  },
);
