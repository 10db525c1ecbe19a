import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import process from 'node:process';
import * as tf from '@tensorflow/tfjs-core';
import { ComputeError } from './error.ts';
import { inTurn } from './tfjs-turn.ts';

let started: Promise<void> | undefined;

/**
 * Starts the WebAssembly backend of this process; a second call waits for the first. Its registered name is `wasm`.
 *
 * It computes with SIMD on one thread: the build for several hands its workers to `Worker` as blob addresses, which Node refuses.
 *
 * @throws {ComputeError} `ENGINE_FAILED` when the module cannot be loaded.
 */
export function startWasm(): Promise<void> {
  started ??= inTurn(start);
  return started;
}

async function start(): Promise<void> {
  const { setThreadsCount, setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  const main = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(`${dirname(main)}/`);
  setThreadsCount(1);
  if (!(await keepingHandlers(() => tf.setBackend('wasm')))) {
    throw new ComputeError(
      'ENGINE_FAILED',
      'the WebAssembly kernels of TensorFlow.js did not load',
    );
  }
  const backend: unknown = tf.backend();
  if (hasModule(backend)) refuseFailedAllocations(backend.wasm);
}

/**
 * Emscripten's loader answers uncaught exceptions and rejections of the whole process by throwing them again, over the head of a handler
 * that the program itself has: what it added is taken off.
 */
async function keepingHandlers<T>(load: () => Promise<T>): Promise<T> {
  const events = ['uncaughtException', 'unhandledRejection'];
  const before = new Set(events.flatMap((event) => process.rawListeners(event)));
  try {
    return await load();
  } finally {
    for (const event of events) {
      for (const listener of process.rawListeners(event)) {
        if (!before.has(listener)) process.off(event, listener as () => void);
      }
    }
  }
}

/** The part of the module that hands out its memory, which ends at 4 GiB. */
interface WasmMemory {
  _malloc(byteLength: number): number;
  _free(address: number): void;
}

function hasModule(backend: unknown): backend is { wasm: WasmMemory } {
  return typeof backend === 'object' && backend !== null && 'wasm' in backend;
}

/**
 * Makes an allocation that fails an error. TensorFlow.js takes the null pointer for an address, and would go on with every tensor that was
 * not allocated in the same place.
 */
export function refuseFailedAllocations(memory: WasmMemory): void {
  // The loader's first `_malloc` puts the real one in its place, and would put it over ours.
  memory._free(memory._malloc(8));
  const allocate = memory._malloc.bind(memory);
  memory._malloc = (byteLength) => {
    const address = byteLength < 2 ** 32 ? allocate(byteLength) : 0;
    if (address === 0 && byteLength > 0) {
      throw new ComputeError(
        'OUT_OF_MEMORY',
        `tfjs-wasm: ${byteLength} bytes more do not fit into the 4 GiB that WebAssembly can have`,
      );
    }
    return address;
  };
}
