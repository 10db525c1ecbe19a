import fc from 'fast-check';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, describe, expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { differentiate } from './differentiate.ts';
import { exposeDropout } from './expose-dropout.ts';
import { type Graph, layoutOf, nodeAt } from './graph.ts';
import { createOnnxEngine } from './onnx-engine.ts';
import {
  caseGraph,
  createRandom,
  drawFeeds,
  operatorCases,
  relativeError,
  toSingle,
} from './operator-cases.ts';
import { interpret } from './reference.ts';
import { toOnnx } from './to-onnx.ts';

const engine = createOnnxEngine();
afterAll(() => engine.close());

async function runPortable(
  graph: Graph,
  inputs: Record<string, Float32Array>,
  weights: Float32Array,
): Promise<{ result: ArrayLike<number>; gradient: ArrayLike<number> }> {
  const { graph: exposed, withMasks } = exposeDropout(graph);
  const session = await InferenceSession.create(toOnnx(exposed, { weights }), {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const given = withMasks(inputs);
  const feeds = exposed.inputs.map((index) => {
    const { name, shape } = nodeAt(exposed.nodes, index);
    return [name, new Tensor('float32', given[name] ?? [], shape)] as const;
  });
  const outputs = await session.run(Object.fromEntries(feeds));
  await session.release();
  const [result, gradient] = [outputs['result']?.data, outputs['gradient']?.data];
  if (!(result instanceof Float32Array && gradient instanceof Float32Array)) {
    throw new TypeError('wanted float32 results');
  }
  return { result, gradient };
}

describe.each(operatorCases)('$name', (operator) => {
  const graph = caseGraph(operator);
  const { inputs, weights } = drawFeeds(graph, 11);
  const expected = interpret(graph, inputs, weights);

  test('the engine agrees with float64, forward and backward', async () => {
    const program = await engine.compile(graph);
    const { outputs, gradient } = await program.run(toSingle(inputs), Float32Array.from(weights));
    await program.close();
    expect(relativeError(outputs['result'] ?? [], expected.outputs['result'] ?? [])).toBeLessThan(
      3e-6,
    );
    expect(relativeError(gradient ?? [], expected.gradient ?? [])).toBeLessThan(3e-6);
  });

  test('the portable model, with its weights inside, agrees with float64 as well', async () => {
    const { result, gradient } = await runPortable(
      graph,
      toSingle(inputs),
      Float32Array.from(weights),
    );
    expect(relativeError(result, expected.outputs['result'] ?? [])).toBeLessThan(3e-6);
    expect(relativeError(gradient, expected.gradient ?? [])).toBeLessThan(3e-6);
  });
});

test('a convolution of any geometry, and its transpose, agree with float64', async () => {
  const geometries = fc.record({
    rank: fc.constantFrom(2, 2, 2, 3),
    transposed: fc.boolean(),
    n: fc.integer({ min: 1, max: 3 }),
    inner: fc.integer({ min: 1, max: 3 }),
    outer: fc.integer({ min: 1, max: 3 }),
    groups: fc.integer({ min: 1, max: 2 }),
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    padding: fc.nat({ max: 4 }),
    sizes: fc.array(fc.integer({ min: 7, max: 9 }), { minLength: 3, maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(geometries, async (init) => {
      const { rank, transposed, n, inner, outer, groups, kernel, stride, dilation } = init;
      const sizes = init.sizes.slice(3 - rank).map((size) => (rank === 3 ? size - 2 : size));
      const reach = dilation * (kernel - 1) + 1;
      const padding = Math.min(init.padding, reach - 1, 2);
      fc.pre(Math.min(...sizes) + 2 * padding >= reach);
      const [channels, out] = [inner * groups, outer * groups];
      const w = [out, inner, ...sizes.map(() => kernel)];
      const geometry = { stride, padding, dilation, groups };
      const graph = caseGraph({
        name: 'conv',
        build: (g, p) => {
          const [x, y] = [
            [n, channels, ...sizes],
            [n, out, ...sizes],
          ];
          if (rank === 2 && transposed)
            return g.convTranspose2d(p(y), p(w), p([channels]), geometry);
          if (transposed) return g.convTranspose3d(p(y), p(w), p([channels]), geometry);
          return rank === 2
            ? g.conv2d(p(x), p(w), p([out]), geometry)
            : g.conv3d(p(x), p(w), p([out]), geometry);
        },
      });
      const { inputs, weights } = drawFeeds(graph, 3);
      const expected = interpret(graph, inputs, weights);
      const program = await engine.compile(graph);
      const { outputs, gradient } = await program.run(toSingle(inputs), Float32Array.from(weights));
      await program.close();
      expect(relativeError(outputs['result'] ?? [], expected.outputs['result'] ?? [])).toBeLessThan(
        1e-5,
      );
      expect(relativeError(gradient ?? [], expected.gradient ?? [])).toBeLessThan(1e-5);
    }),
    { seed: 1, numRuns: 150 },
  );
});

test('group norm keeps its digits where the mean is ten deviations away', async () => {
  const graph = caseGraph({
    name: 'groupNorm',
    build: (g, p) => g.groupNorm(p([2, 4, 32, 32]), p([4]), p([4]), 2),
  });
  const { inputs, weights } = drawFeeds(graph, 5);
  for (let i = 0; i < 2 * 4 * 32 * 32; i++) weights[i] = Math.fround((weights[i] ?? 0) + 12);
  const expected = interpret(graph, inputs, weights);
  const program = await engine.compile(graph);
  const { outputs, gradient } = await program.run(toSingle(inputs), Float32Array.from(weights));
  expect(relativeError(outputs['result'] ?? [], expected.outputs['result'] ?? [])).toBeLessThan(
    1e-4,
  );
  expect(relativeError(gradient ?? [], expected.gradient ?? [])).toBeLessThan(1e-4);
});

test('a blank image stays finite', async () => {
  const graph = caseGraph({
    name: 'groupNorm',
    build: (g, p) => g.groupNorm(p([1, 4, 8, 8]), p([4]), p([4]), 2),
  });
  const { inputs, weights } = drawFeeds(graph, 5);
  weights.fill(1000.1, 0, 4 * 64);
  const program = await engine.compile(graph);
  const { outputs, gradient } = await program.run(toSingle(inputs), Float32Array.from(weights));
  expect(outputs['result']?.every(Number.isFinite)).toBe(true);
  expect(gradient?.every(Number.isFinite)).toBe(true);
});

test('losses stay finite and exact for logits far from zero', async () => {
  const g = createGraph();
  const logits = g.parameter('logits', [1, 1, 2, 2]);
  const target = g.input('target', [1, 1, 2, 2]);
  g.output('loss', g.bceWithLogits(logits, target));
  const program = await engine.compile(differentiate(g.build(), 'loss'));
  const { outputs, gradient } = await program.run(
    { target: Float32Array.of(0, 1, 1, 0) },
    Float32Array.of(200, 200, -200, -200),
  );
  expect(outputs['loss']?.[0]).toBeCloseTo(100, 5);
  expect([...(gradient ?? [])]).toEqual([0.25, 0, -0.25, 0]);
});

describe('a program', () => {
  const g = createGraph();
  const x = g.input('x', [1, 2, 8, 8]);
  const y = g.conv2d(x, g.parameter('w', [3, 2, 3, 3]));
  g.output('loss', g.mean(g.relu(y)));
  const graph = differentiate(g.build(), 'loss');
  const random = createRandom(9);
  const values = Float32Array.from({ length: 128 }, () => random() - 0.5);
  const weights = Float32Array.from({ length: layoutOf(graph).length }, () => random() - 0.5);

  test('gives the same bits for the same numbers, and reads weights at any offset of a buffer', async () => {
    const program = await engine.compile(graph);
    const first = await program.run({ x: values }, weights);
    const shifted = new Float32Array(weights.length + 3);
    shifted.set(weights, 3);
    const second = await program.run({ x: values }, shifted.subarray(3));
    expect(second).toEqual(first);
    expect(second.gradient).not.toBe(first.gradient);
  });

  test('runs one after the other when asked at once', async () => {
    const program = await engine.compile(graph);
    const other = weights.map((value) => -value);
    const [first, second] = await Promise.all([
      program.run({ x: values }, weights),
      program.run({ x: values }, other),
    ]);
    expect(await program.run({ x: values }, weights)).toEqual(first);
    expect(await program.run({ x: values }, other)).toEqual(second);
    expect(first).not.toEqual(second);
  });

  test('names what does not fit', async () => {
    const program = await engine.compile(graph);
    const expected = await program.run({ x: values }, weights);
    await expect(program.run({}, weights)).rejects.toThrow('input x wants 128 values, got nothing');
    await expect(program.run({ x: values, z: values }, weights)).rejects.toThrow('no input z');
    await expect(program.run({ x: values.subarray(1) }, weights)).rejects.toThrow('got 127 values');
    await expect(program.run({ x: values }, weights.subarray(1))).rejects.toMatchObject({
      code: 'BAD_INPUT',
    });
    expect(await program.run({ x: values }, weights)).toEqual(expected);
  });

  test('stops before a run when aborted, and stays usable', async () => {
    const program = await engine.compile(graph);
    const expected = await program.run({ x: values }, weights);
    const reason = new Error('the round is over');
    const run = program.run({ x: values }, weights, { signal: AbortSignal.abort(reason) });
    await expect(run).rejects.toBe(reason);
    expect(await program.run({ x: values }, weights)).toEqual(expected);
  });

  test('is refused after it was closed, by itself or with its engine', async () => {
    const own = createOnnxEngine();
    const [program, left] = [await own.compile(graph), await own.compile(graph)];
    await program.close();
    await program.close();
    await expect(program.run({ x: values }, weights)).rejects.toMatchObject({ code: 'CLOSED' });
    await own.close();
    await expect(left.run({ x: values }, weights)).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(own.compile(graph)).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

test('a provider that finds no device is an error, never the CPU', async () => {
  const attempt = async (): Promise<string> => {
    const cuda = createOnnxEngine({ provider: 'cuda' });
    const g = createGraph();
    g.output('y', g.relu(g.input('x', [1])));
    const program = await cuda.compile(g.build());
    await program.run({ x: Float32Array.of(-1) }, new Float32Array());
    return 'computed';
  };
  await expect(attempt()).rejects.toMatchObject({ code: 'PROVIDER_MISSING' });
});

test('inputs and parameters that no output needs may be there, and outputs may share a value', async () => {
  const g = createGraph();
  const x = g.input('x', [2]);
  g.input('unused', [3]);
  const w = g.parameter('w', [2]);
  g.parameter('idle', [1]);
  const y = g.mul(x, w);
  g.output('y', y);
  g.output('again', y);
  g.output('w/out', w);
  g.output('loss', g.sum(y));
  const program = await engine.compile(differentiate(g.build(), 'loss'));
  const result = await program.run(
    { x: Float32Array.of(2, 3), unused: new Float32Array(3) },
    Float32Array.of(5, 7, 9),
  );
  expect(result).toEqual({
    outputs: {
      y: Float32Array.of(10, 21),
      again: Float32Array.of(10, 21),
      'w/out': Float32Array.of(5, 7),
      loss: Float32Array.of(31),
    },
    gradient: Float32Array.of(2, 3, 0),
  });
});

test('refuses a number of threads that is none', () => {
  expect(() => createOnnxEngine({ threads: 0 })).toThrow(RangeError);
});
