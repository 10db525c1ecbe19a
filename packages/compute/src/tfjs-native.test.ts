import util from 'node:util';
import { expect, describe as suite, test } from 'vitest';
import { ComputeError } from './error.ts';
import { createTfjsEngine } from './tfjs-engine.ts';
import { checkGpu, describe, type NativeBackend } from './tfjs-native.ts';
import { restoreRemovedUtil } from './tfjs-node-polyfill.ts';

const backends: { backend: NativeBackend; command: string }[] = [
  { backend: 'gpu', command: '`npm run setup:gpu`' },
  { backend: 'node', command: '`npm run setup:gpu -- --cpu`' },
];

async function open(backend: NativeBackend): Promise<ComputeError | undefined> {
  try {
    await (await createTfjsEngine({ backend })).close();
    return undefined;
  } catch (error) {
    if (error instanceof ComputeError) return error;
    throw error;
  }
}

suite.each(backends)('tfjs-$backend', async ({ backend, command }) => {
  const refusal = await open(backend);
  const enabled = refusal === undefined || !refusal.message.includes('not enabled');

  test.skipIf(enabled)('without its native library is an error that says how to get it', () => {
    expect(refusal).toMatchObject({
      code: 'PROVIDER_MISSING',
      message: expect.stringContaining(command),
    });
  });
});

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
