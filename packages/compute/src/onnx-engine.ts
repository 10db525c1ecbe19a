import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node';
import { blockedChannels } from './blocked-channels.ts';
import { createProgram, type Engine, type Program, type RunResult } from './engine.ts';
import { ComputeError } from './error.ts';
import { type Graph, gradientLayoutOf, layoutOf, nodeAt, sizeOf } from './graph.ts';
import { toOnnx } from './to-onnx.ts';

/** Where onnxruntime computes. `webgpu` is bundled for linux-x64; `cuda` must be installed by the hospital. */
export type OnnxProvider = 'cpu' | 'webgpu' | 'cuda';

export interface OnnxEngineInit {
  /** @default 'cpu' */
  readonly provider?: OnnxProvider;
  /** Threads for one run on the CPU. @default 1 */
  readonly threads?: number;
}

/**
 * Executes graphs in onnxruntime.
 *
 * One run blocks the event loop of its process for its whole length (the runtime's Node binding computes on the calling
 * thread), so long work belongs into a process of its own. Weights are read in place, without a copy.
 * Memory stays flat over runs: every result is written into an array that JavaScript owns.
 *
 * A provider that is missing is an error, never a silent step back to the CPU.
 *
 * @throws {RangeError} when `threads` is not a positive whole number.
 * @throws {ComputeError} `PROVIDER_MISSING` when the build of the runtime lacks `provider`.
 */
export function createOnnxEngine(init: OnnxEngineInit = {}): Engine {
  const { provider = 'cpu', threads = 1 } = init;
  if (!Number.isSafeInteger(threads) || threads < 1) {
    throw new RangeError(`threads must be a positive whole number, got ${threads}`);
  }
  requireProvider(provider);
  const open = new Set<Program>();
  let closed = false;
  return {
    name: `onnx-${provider}`,
    async compile(graph) {
      if (closed) throw new ComputeError('CLOSED', 'the engine is closed');
      const session = await createSession(graph, provider, threads);
      const program = createSessionProgram(graph, session, () => open.delete(program));
      open.add(program);
      return program;
    },
    async close() {
      closed = true;
      await Promise.all([...open].map((program) => program.close()));
    },
  };
}

function requireProvider(provider: OnnxProvider): void {
  const backends = listSupportedBackends();
  if (!backends.some(({ name }) => name === provider)) {
    const names = backends.map(({ name }) => name).join(', ');
    throw new ComputeError(
      'PROVIDER_MISSING',
      `this onnxruntime has no provider ${provider}, only: ${names}`,
    );
  }
}

async function createSession(
  graph: Graph,
  provider: OnnxProvider,
  threads: number,
): Promise<InferenceSession> {
  const model =
    provider === 'cpu'
      ? toOnnx(graph, { target: 'cpu', block: await blockedChannels() })
      : toOnnx(graph);
  try {
    return await InferenceSession.create(model, {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      // On the CPU the model is as it should be executed, in an order in which activations die early. Optimisations change that order
      // (a peak of twice the memory on large images), and those of 'all' wrap every pool in two reorderings.
      graphOptimizationLevel: provider === 'cpu' ? 'disabled' : 'extended',
      // A pattern is a second set of buffers beside that of the first run, for no gain in time.
      enableMemPattern: provider !== 'cpu',
      logSeverityLevel: 4,
      extra: { session: { disable_cpu_ep_fallback: provider === 'cpu' ? '0' : '1' } },
    });
  } catch (cause) {
    const code = provider === 'cpu' ? 'ENGINE_FAILED' : 'PROVIDER_MISSING';
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new ComputeError(
      code,
      `onnxruntime could not prepare the graph on ${provider}: ${words}`,
      { cause },
    );
  }
}

function createSessionProgram(
  graph: Graph,
  session: InferenceSession,
  forget: () => void,
): Program {
  const layout = layoutOf(graph);
  const inputs = graph.inputs.map((index) => nodeAt(graph.nodes, index));
  const results = graph.outputs.map(({ name, node }) => ({
    name,
    shape: nodeAt(graph.nodes, node).shape,
  }));
  if (graph.gradients !== undefined) {
    results.push({ name: 'gradient', shape: [gradientLayoutOf(graph).length] });
  }

  const execute = async (
    values: Readonly<Record<string, Float32Array>>,
    weights: Float32Array,
  ): Promise<RunResult> => {
    const feeds: Record<string, Tensor> = {};
    for (const { name, shape } of inputs) {
      feeds[name] = new Tensor('float32', values[name] ?? new Float32Array(), shape);
    }
    for (const { name, shape, offset, length } of layout.tensors) {
      feeds[name] = new Tensor('float32', weights.subarray(offset, offset + length), shape);
    }
    const buffers: Record<string, Float32Array> = {};
    const fetches: Record<string, Tensor> = {};
    for (const { name, shape } of results) {
      const buffer = new Float32Array(sizeOf(shape));
      buffers[name] = buffer;
      fetches[name] = new Tensor('float32', buffer, shape);
    }
    try {
      await session.run(feeds, fetches);
    } catch (cause) {
      throw new ComputeError('ENGINE_FAILED', 'onnxruntime failed during a run', { cause });
    }
    const { gradient, ...outputs } = buffers;
    return gradient === undefined ? { outputs } : { outputs, gradient };
  };
  return createProgram(graph, execute, async () => {
    forget();
    await session.release();
  });
}
