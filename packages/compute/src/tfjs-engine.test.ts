import process from 'node:process';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { differentiate } from './differentiate.ts';
import { layoutOf } from './graph.ts';
import { caseGraph, createRandom, drawFeeds, operatorCases, toSingle } from './operator-cases.ts';
import { createTfjsEngine } from './tfjs-engine.ts';

const handlersOf = (): number[] =>
  ['uncaughtException', 'unhandledRejection'].map((event) => process.listenerCount(event));

const handlersBefore = handlersOf();
const engine = await createTfjsEngine({ backend: 'wasm' });
afterAll(() => engine.close());

const g = createGraph();
const x = g.input('x', [1, 2, 8, 8]);
const y = g.conv2d(x, g.parameter('w', [3, 2, 3, 3]));
g.output('loss', g.mean(g.relu(y)));
const graph = differentiate(g.build(), 'loss');
const random = createRandom(9);
const values = Float32Array.from({ length: 128 }, () => random() - 0.5);
const weights = Float32Array.from({ length: layoutOf(graph).length }, () => random() - 0.5);

describe('a program', () => {
  test('gives the same bits for the same numbers, and reads weights at any offset of a buffer', async () => {
    const program = await engine.compile(graph);
    const first = await program.run({ x: values }, weights);
    const shifted = new Float32Array(weights.length + 3);
    shifted.set(weights, 3);
    const second = await program.run({ x: values }, shifted.subarray(3));
    expect(second).toEqual(first);
    expect(second.gradient).not.toBe(first.gradient);
  });

  test('runs one after the other when asked at once, in one engine and in two', async () => {
    const other = await createTfjsEngine({ backend: 'wasm' });
    const programs = [await engine.compile(graph), await other.compile(graph)] as const;
    const negative = weights.map((value) => -value);
    const [first, second, third] = await Promise.all([
      programs[0].run({ x: values }, weights),
      programs[0].run({ x: values }, negative),
      programs[1].run({ x: values }, weights),
    ]);
    await other.close();
    expect(await programs[0].run({ x: values }, weights)).toEqual(first);
    expect(await programs[0].run({ x: values }, negative)).toEqual(second);
    expect(third).toEqual(first);
    expect(second).not.toEqual(first);
  });

  test('names what does not fit', async () => {
    const program = await engine.compile(graph);
    const expected = await program.run({ x: values }, weights);
    await expect(program.run({}, weights)).rejects.toThrow('input x wants 128 values, got nothing');
    await expect(program.run({ x: values, z: values }, weights)).rejects.toThrow('no input z');
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
    const own = await createTfjsEngine({ backend: 'wasm' });
    const [program, left] = [await own.compile(graph), await own.compile(graph)];
    await program.close();
    await program.close();
    await expect(program.run({ x: values }, weights)).rejects.toMatchObject({ code: 'CLOSED' });
    await own.close();
    await expect(left.run({ x: values }, weights)).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(own.compile(graph)).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('leaves inputs and parameters alone that no output needs; outputs may share a value', async () => {
    const b = createGraph();
    const input = b.input('x', [2]);
    b.input('unused', [3]);
    const w = b.parameter('w', [2]);
    b.parameter('idle', [1]);
    const product = b.mul(input, w);
    b.output('y', product);
    b.output('again', product);
    b.output('w/out', w);
    b.output('loss', b.sum(product));
    const program = await engine.compile(differentiate(b.build(), 'loss'));
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

  test('draws dropout from the seed alone, and refuses a seed that is none', async () => {
    const d = createGraph();
    const ones = d.constant(1, [4, 50]);
    d.output('y', d.dropout(ones, d.input('seed', []), 0.25));
    const program = await engine.compile(d.build());
    const draw = async (seed: number): Promise<Float32Array> => {
      const { outputs } = await program.run({ seed: Float32Array.of(seed) }, new Float32Array());
      return outputs['y'] ?? new Float32Array();
    };
    const first = await draw(3);
    expect(await draw(3)).toEqual(first);
    expect(await draw(4)).not.toEqual(first);
    expect(new Set(first)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
    await expect(draw(0.5)).rejects.toMatchObject({ code: 'BAD_INPUT' });
  });
});

/** Bytes that the module has taken from the system. */
function heapBytes(): number {
  const backend: unknown = tf.backend();
  const { wasm } = backend as { wasm: { HEAPU8: Uint8Array } };
  return wasm.HEAPU8.length;
}

test('no run leaves a tensor behind, whatever its operators, and the heap stays as it is', async () => {
  const cases = await Promise.all(
    operatorCases.map(async (operator) => {
      const ofCase = caseGraph(operator);
      const feeds = drawFeeds(ofCase, 3);
      const [inputs, own] = [toSingle(feeds.inputs), Float32Array.from(feeds.weights)];
      const program = await engine.compile(ofCase);
      return () => program.run(inputs, own);
    }),
  );
  const before = tf.memory().numTensors;
  for (const run of cases) await run();
  expect(tf.memory().numTensors).toBe(before);
  const heap = heapBytes();
  for (let round = 0; round < 20; round++) for (const run of cases) await run();
  expect(tf.memory().numTensors).toBe(before);
  expect(heapBytes()).toBe(heap);
});

test('a run that fails leaves no tensor behind either, and the engine usable', async () => {
  const large = createGraph();
  const small = large.add(large.input('x', [2, 2]), large.constant(1, [2, 2]));
  // 4 GiB, which is more than WebAssembly can address.
  large.output(
    'sum',
    large.mul(large.sum(small), large.sum(large.constant(1, [2 ** 15, 2 ** 15]))),
  );
  const program = await engine.compile(large.build());
  const before = tf.memory().numTensors;
  const run = program.run({ x: new Float32Array(4) }, new Float32Array());
  await expect(run).rejects.toMatchObject({
    code: 'OUT_OF_MEMORY',
    message: expect.stringContaining('4294967296 bytes'),
  });
  expect(tf.memory().numTensors).toBe(before);
  const other = await engine.compile(graph);
  expect((await other.run({ x: values }, weights)).outputs['loss']?.[0]).toBeGreaterThan(0);
});

test("leaves the process's own handlers of uncaught errors alone", () => {
  expect(handlersOf()).toEqual(handlersBefore);
});

test('refuses a number of threads that is none', async () => {
  await expect(createTfjsEngine({ backend: 'wasm', threads: 0 })).rejects.toThrow(RangeError);
});
