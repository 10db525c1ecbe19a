import { createProgram, type Engine, type Program, type RunResult } from './engine.ts';
import { ComputeError } from './error.ts';
import { exposeDropout } from './expose-dropout.ts';
import { runtimeFailure } from './runtime-failure.ts';
import { createInterpreter } from './tfjs-interpret.ts';
import { checkGpu, loadNative, type NativeBackend } from './tfjs-native.ts';
import { withBackend } from './tfjs-turn.ts';
import { startWasm } from './tfjs-wasm.ts';

/**
 * What TensorFlow.js computes with: `gpu` its native library on CUDA, `node` the same on the CPU, `wasm` its WebAssembly kernels, which come
 * with the package and run anywhere.
 */
export type TfjsBackend = NativeBackend | 'wasm';

export interface TfjsEngineInit {
  readonly backend: TfjsBackend;
  /**
   * Threads for one run on the CPU, at most. `wasm` computes on one in any case; the native libraries take what the environment variable
   * `TF_NUM_INTRAOP_THREADS` says when the process starts, else every core.
   * @default 1
   */
  readonly threads?: number;
}

/**
 * Executes graphs in TensorFlow.js, operator by operator.
 *
 * One run blocks the event loop of its process for its whole length, so long work belongs into a process of its own. Engines of
 * one process take turns, as TensorFlow.js has one active backend; `gpu` and `node` exclude each other. Memory stays flat over runs:
 * weights are read anew each time, and every tensor is disposed after its last use.
 *
 * A GPU that is missing is an error, never a silent step back to the CPU.
 *
 * @throws {RangeError} when `threads` is not a positive whole number.
 * @throws {ComputeError} `PROVIDER_MISSING` when the backend's native library is not enabled or, for `gpu`, sees no GPU.
 */
export async function createTfjsEngine(init: TfjsEngineInit): Promise<Engine> {
  const { backend, threads = 1 } = init;
  if (!Number.isSafeInteger(threads) || threads < 1) {
    throw new RangeError(`threads must be a positive whole number, got ${threads}`);
  }
  const registered = await load(backend);
  const open = new Set<Program>();
  let closed = false;
  return {
    name: `tfjs-${backend}`,
    isDevice: backend === 'gpu',
    async compile(graph) {
      if (closed) throw new ComputeError('CLOSED', 'the engine is closed');
      const exposed = exposeDropout(graph);
      const interpret = createInterpreter(exposed.graph);
      const execute = async (
        inputs: Readonly<Record<string, Float32Array>>,
        weights: Float32Array,
      ): Promise<RunResult> => {
        const feeds = exposed.withMasks(inputs);
        try {
          return await withBackend(registered, () => interpret(feeds, weights));
        } catch (cause) {
          if (cause instanceof ComputeError) throw cause;
          throw runtimeFailure('TensorFlow.js failed during a run', cause);
        }
      };
      const program = createProgram(graph, execute, async () => {
        open.delete(program);
      });
      open.add(program);
      return program;
    },
    async close() {
      closed = true;
      await Promise.all([...open].map((program) => program.close()));
    },
  };
}

/** Makes a backend ready and returns the name that TensorFlow.js has it under. */
async function load(backend: TfjsBackend): Promise<string> {
  if (backend === 'wasm') {
    await startWasm();
    return 'wasm';
  }
  const library = await loadNative(backend);
  if (backend === 'gpu') checkGpu(library);
  return 'tensorflow';
}
