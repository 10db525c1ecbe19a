import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { ComputeError } from './error.ts';
import { restoreRemovedUtil } from './tfjs-node-polyfill.ts';
import { inTurn } from './tfjs-turn.ts';

/** TensorFlow's native library: with CUDA, or for the CPU alone. Each is an npm package of its own. */
export type NativeBackend = 'gpu' | 'node';

/** What the native library says of itself. */
export interface NativeLibrary {
  /** TensorFlow's version, for instance `2.9.1`. */
  readonly version: string;
  /** Whether it was built with CUDA. */
  readonly forGpu: boolean;
  /** Whether it computes on a GPU. */
  readonly usesGpu: boolean;
}

/**
 * Loads the native library into this process; its registered name is `tensorflow`. One process can hold one of the two.
 *
 * @throws {ComputeError} `PROVIDER_MISSING` when it is not enabled on this machine, does not load, or the process holds the other one.
 */
export async function loadNative(backend: NativeBackend): Promise<NativeLibrary> {
  const { name, command } = packages[backend];
  const missing = (problem: string, cause?: unknown): ComputeError =>
    new ComputeError('PROVIDER_MISSING', `tfjs-${backend}: ${problem}`, { cause });
  if (!isEnabled(name)) {
    throw missing(`the native library of ${name} is not enabled here; run \`${command}\``);
  }
  return inTurn(async () => {
    // Importing both would register every kernel twice; the first one's stay.
    const before = describe(tf.findBackend('tensorflow'));
    if (before !== undefined && before.forGpu !== (backend === 'gpu')) {
      throw missing('this process has loaded the other native library, and can hold only one');
    }
    try {
      restoreRemovedUtil();
      await (backend === 'gpu'
        ? import('@tensorflow/tfjs-node-gpu')
        : import('@tensorflow/tfjs-node'));
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause);
      throw missing(`the native library of ${name} does not load: ${words}`, cause);
    }
    const library = describe(tf.findBackend('tensorflow'));
    if (library === undefined) throw missing(`the native library of ${name} did not start`);
    return library;
  });
}

/**
 * Refuses a library that does not compute on a GPU.
 * @throws {ComputeError} `PROVIDER_MISSING`.
 */
export function checkGpu({ version, usesGpu }: NativeLibrary): void {
  if (usesGpu) return;
  throw new ComputeError(
    'PROVIDER_MISSING',
    `tfjs-gpu: TensorFlow ${version} is loaded but sees no GPU; it wants CUDA 11.2 and cuDNN 8.1, and was built for GPUs up to compute capability 8.0 (A100), not for current ones`,
  );
}

const packages: Readonly<Record<NativeBackend, { name: string; command: string }>> = {
  gpu: { name: '@tensorflow/tfjs-node-gpu', command: 'npm run setup:gpu' },
  node: { name: '@tensorflow/tfjs-node', command: 'npm run setup:gpu -- --cpu' },
};

/** Whether a package's binding lies where its install script, which npm does not run here, puts it. */
function isEnabled(name: string): boolean {
  const { resolve } = createRequire(import.meta.url);
  try {
    const bindings = join(dirname(resolve(`${name}/package.json`)), 'lib');
    return (
      existsSync(bindings) &&
      readdirSync(bindings).some((folder) =>
        existsSync(join(bindings, folder, 'tfjs_binding.node')),
      )
    );
  } catch {
    // The package itself is optional, too.
    return false;
  }
}

/** A registered backend of tfjs-node, by its own fields. Undefined for anything else. */
export function describe(backend: unknown): NativeLibrary | undefined {
  if (typeof backend !== 'object' || backend === null) return undefined;
  if (!('binding' in backend && 'isGPUPackage' in backend && 'isUsingGpuDevice' in backend)) {
    return undefined;
  }
  const { binding, isGPUPackage, isUsingGpuDevice } = backend;
  const version =
    typeof binding === 'object' && binding !== null && 'TF_Version' in binding
      ? String(binding.TF_Version)
      : 'of unknown version';
  return { version, forGpu: isGPUPackage === true, usesGpu: isUsingGpuDevice === true };
}
