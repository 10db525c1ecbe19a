import { type InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node';
import { createProgram, type Engine, type RunResult } from './engine.ts';
import { ComputeError } from './error.ts';
import { exposeDropout } from './expose-dropout.ts';
import { type Graph, gradientLayoutOf, layoutOf, nodeAt, sizeOf } from './graph.ts';
import { createOnnxReader } from './onnx-reader.ts';
import { formulationFor, openSession } from './onnx-session.ts';
import { createOnnxTraining } from './onnx-training.ts';
import { readerOf } from './reader.ts';
import { runtimeFailure } from './runtime-failure.ts';
import { toOnnx } from './to-onnx.ts';
import { trainingOf } from './training-program.ts';

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
 * thread), so long work belongs into a process of its own; readers compute in a thread of their own. Weights are read in place, without a copy.
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
  const open = new Set<{ close(): Promise<void> }>();
  let closed = false;
  return {
    name: `onnx-${provider}`,
    isDevice: provider !== 'cpu',
    async compile(graph) {
      if (closed) throw new ComputeError('CLOSED', 'the engine is closed');
      const exposed = exposeDropout(graph);
      const model = toOnnx(exposed.graph, await formulationFor(provider));
      const session = await openSession(model, { provider, threads });
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
    async compileReader(graph, weights, init) {
      if (closed) throw new ComputeError('CLOSED', 'the engine is closed');
      const forget = (): boolean => open.delete(program);
      const program = await createOnnxReader(
        graph,
        weights,
        { ...init, provider, threads },
        forget,
      );
      open.add(program);
      return readerOf(program, weights);
    },
    async compileTraining(graph, training, start) {
      if (closed) throw new ComputeError('CLOSED', 'the engine is closed');
      // On the CPU the optimizer's one loop over all weights is faster than the runtime's ten passes; with cuda the binding keeps no outputs on the device.
      if (provider !== 'webgpu') {
        return trainingOf(await this.compile(graph), graph, training, start);
      }
      const forget = (): boolean => open.delete(program);
      const program = await createOnnxTraining(
        graph,
        training,
        start,
        { provider, threads },
        forget,
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
      throw runtimeFailure('onnxruntime failed during a run', cause);
    }
    const { gradient, ...outputs } = buffers;
    return gradient === undefined ? { outputs } : { outputs, gradient };
  };
}
