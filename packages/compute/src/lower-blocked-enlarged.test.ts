import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { blockedChannels } from './blocked-channels.ts';
import { createGraph, type GraphBuilder } from './builder.ts';
import { findFusions } from './find-fusions.ts';
import type { Graph } from './graph.ts';
import type { Value } from './graph-assembly.ts';
import { createOnnxEngine } from './onnx-engine.ts';
import { drawFeeds, relativeError, toSingle } from './operator-cases.ts';
import { interpret } from './reference.ts';
import { toOnnx } from './to-onnx.ts';

// Where the runtime has no blocked layout these graphs run in the standard one, and must agree just as well.
const b = (await blockedChannels()) ?? 16;
const engine = createOnnxEngine({ threads: 2 });
afterAll(() => engine.close());

function graphOf(build: (g: GraphBuilder) => Value): Graph {
  const g = createGraph();
  g.output('result', build(g));
  return g.build();
}

function image(g: GraphBuilder, channels: number, size: readonly [number, number, number]): Value {
  const [n, height, width] = size;
  const x = g.input('x', [n, 3, height, width]);
  return g.conv2d(x, g.parameter('first', [channels, 3, 1, 1]));
}

async function errorOf(graph: Graph): Promise<number> {
  const { inputs, weights } = drawFeeds(graph, 7);
  const program = await engine.compile(graph);
  const { outputs } = await program.run(toSingle(inputs), Float32Array.from(weights));
  await program.close();
  const expected = interpret(graph, inputs, weights).outputs['result'] ?? [];
  return relativeError(outputs['result'] ?? [], expected);
}

const emitsEnlarged = (graph: Graph): boolean =>
  Buffer.from(toOnnx(graph, { target: 'cpu', block: b })).includes('Upsample');

test('a convolution of an enlarged image agrees with float64 at any size', async () => {
  const sizes = fc.record({
    n: fc.integer({ min: 1, max: 2 }),
    height: fc.integer({ min: 1, max: 6 }),
    width: fc.integer({ min: 1, max: 6 }),
    channels: fc.integer({ min: 1, max: 2 }),
    out: fc.integer({ min: 1, max: 2 }),
    biased: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(sizes, async ({ n, height, width, channels, out, biased }) => {
      const graph = graphOf((g) => {
        const large = g.upsample2d(image(g, channels * b, [n, height, width]));
        const w = g.parameter('w', [out * b, channels * b, 3, 3]);
        return g.conv2d(large, w, biased ? g.parameter('bias', [out * b]) : null);
      });
      expect(findFusions(graph).enlarged.size).toBe(1);
      expect(emitsEnlarged(graph)).toBe(false);
      expect(await errorOf(graph)).toBeLessThan(1e-5);
    }),
    { seed: 1, numRuns: 25 },
  );
});

test.each<[string, (g: GraphBuilder, large: Value) => Value, boolean]>([
  ['goes through a relu', (g, x) => g.relu(g.conv2d(x, g.parameter('w', [b, b, 3, 3]))), false],
  [
    'is joined with others, before and behind',
    (g, x) => {
      const skip = g.upsample2d(g.avgPool2d(g.relu(x)));
      const joined = g.concat([g.sigmoid(skip), x, g.silu(skip)]);
      return g.conv2d(joined, g.parameter('w', [b, 3 * b, 3, 3]));
    },
    true,
  ],
  ['is read twice', (g, x) => g.add(g.conv2d(x, g.parameter('w', [b, b, 3, 3])), x), true],
  ['meets 5×5 taps', (g, x) => g.conv2d(x, g.parameter('w', [b, b, 5, 5])), true],
  [
    'meets no padding',
    (g, x) => g.conv2d(x, g.parameter('w', [b, b, 3, 3]), null, { padding: 0 }),
    true,
  ],
  [
    'meets a stride',
    (g, x) => g.conv2d(x, g.parameter('w', [b, b, 3, 3]), null, { stride: 2 }),
    true,
  ],
  [
    'is convolved to a part of a block',
    (g, x) => g.conv2d(x, g.parameter('w', [3, b, 3, 3])),
    true,
  ],
])('an enlarged image that %s agrees', async (_, build, made) => {
  const graph = graphOf((g) => build(g, g.upsample2d(image(g, b, [2, 4, 6]))));
  expect(emitsEnlarged(graph)).toBe(made);
  expect(await errorOf(graph)).toBeLessThan(1e-5);
});
