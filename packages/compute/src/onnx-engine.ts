import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node';
import { createProgram, type Engine, type Program, type RunResult } from './engine.ts';
import { ComputeError } from './error.ts';
import { exposeDropout } from './expose-dropout.ts';
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
      const exposed = exposeDropout(graph);
      const session = await createSession(exposed.graph, provider, threads);
      const execute = sessionRun(exposed.graph, session);
      const program = createProgram(
        graph,
        (inputs, weights) => execute(exposed.withMasks(inputs), weights),
        async () => {
          open.delete(program);
          await session.release();
        },
      );
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
  const model = toOnnx(graph, { target: provider === 'cpu' ? 'cpu' : 'portable' });
  try {
    return await InferenceSession.create(model, {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      // Not 'all': its layout changes wrap every pool in two reorderings here.
      graphOptimizationLevel: 'extended',
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

/** What one run of a session does: feeds in, outputs and gradient out, in arrays that JavaScript owns. */
function sessionRun(
  graph: Graph,
  session: InferenceSession,
): (inputs: Readonly<Record<string, Float32Array>>, weights: Float32Array) => Promise<RunResult> {
  const layout = layoutOf(graph);
  const inputs = graph.inputs.map((index) => nodeAt(graph.nodes, index));
  const results = graph.outputs.map(({ name, node }) => ({
    name,
    shape: nodeAt(graph.nodes, node).shape,
  }));
  if (graph.gradients !== undefined) {
    results.push({
      name: 'gradient',
      shape: [(graph.perExample?.examples ?? 1) * gradientLayoutOf(graph).length],
    });
  }

  return async (values, weights) => {
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
}
