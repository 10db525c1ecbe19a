import util from 'node:util';
import { expect, describe as suite, test } from 'vitest';
import type { Engine } from './engine.ts';
import { ComputeError } from './error.ts';
import { caseGraph, drawFeeds, operatorCases, relativeError, toSingle } from './operator-cases.ts';
import { interpret } from './reference.ts';
import { createTfjsEngine } from './tfjs-engine.ts';
import { checkGpu, describe, type NativeBackend } from './tfjs-native.ts';
import { restoreRemovedUtil } from './tfjs-node-polyfill.ts';

const backends: { backend: NativeBackend; command: string }[] = [
  { backend: 'node', command: '`npm run setup:gpu -- --cpu`' },
  { backend: 'gpu', command: '`npm run setup:gpu`' },
];

async function open(backend: NativeBackend): Promise<Engine | ComputeError> {
  try {
    return await createTfjsEngine({ backend });
  } catch (error) {
    if (error instanceof ComputeError) return error;
    throw error;
  }
}

test.each(backends)(
  'every operator agrees with float64 on tfjs-$backend; without its library the engine says how to get it',
  async ({ backend, command }) => {
    const engine = await open(backend);
    if (engine instanceof ComputeError) {
      expect(engine.code).toBe('PROVIDER_MISSING');
      const where = [`run ${command}`, 'does not load', 'the other native library', 'sees no GPU'];
      expect(
        where.some((words) => engine.message.includes(words)),
        engine.message,
      ).toBe(true);
      return;
    }
    for (const operator of operatorCases) {
      const graph = caseGraph(operator);
      const { inputs, weights } = drawFeeds(graph, 11);
      const expected = interpret(graph, inputs, weights);
      const program = await engine.compile(graph);
      const { outputs, gradient } = await program.run(toSingle(inputs), Float32Array.from(weights));
      await program.close();
      const forward = relativeError(outputs['result'] ?? [], expected.outputs['result'] ?? []);
      expect(forward, operator.name).toBeLessThan(1e-5);
      const backward = relativeError(gradient ?? [], expected.gradient ?? []);
      expect(backward, operator.name).toBeLessThan(1e-5);
    }
    await engine.close();
  },
  180_000,
);

suite('what the native library says of itself', () => {
  const binding = { TF_Version: '2.9.1' };

  test('is read from the backend that it registered', () => {
    const backend = { binding, isGPUPackage: true, isUsingGpuDevice: false };
    expect(describe(backend)).toEqual({ version: '2.9.1', forGpu: true, usesGpu: false });
    expect(describe({ wasm: {} })).toBeUndefined();
    expect(describe(null)).toBeUndefined();
  });

  test('is enough for tfjs-gpu only when it computes on a GPU', () => {
    expect(() => checkGpu({ version: '2.9.1', forGpu: true, usesGpu: true })).not.toThrow();
    expect(() => checkGpu({ version: '2.9.1', forGpu: true, usesGpu: false })).toThrow(
      /2\.9\.1 is loaded but sees no GPU; it wants CUDA 11\.2 and cuDNN 8\.1/,
    );
  });
});

test('gives back what tfjs-node misses in newer Node, and leaves what is there', () => {
  const { isArray } = util;
  restoreRemovedUtil();
  restoreRemovedUtil();
  expect(util.isArray).toBe(isArray);
  const { isNullOrUndefined } = util as unknown as { isNullOrUndefined(value: unknown): boolean };
  expect([null, undefined, 0, '', []].map(isNullOrUndefined)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
