import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { InferenceSession } from 'onnxruntime-node';
import { blockedChannels } from './blocked-channels.ts';
import { createFeedCheck, createProgram, type Program } from './engine.ts';
import { exposeDropout } from './expose-dropout.ts';
import { type Graph, nodeAt } from './graph.ts';
import { type Int8Precision, int8Precision } from './int8-probe.ts';
import type { OnnxProvider } from './onnx-engine.ts';
import { quantizedTensors, quantizeModel } from './onnx-quantize.ts';
import { measureRanges } from './onnx-ranges.ts';
import type {
  FromReadingWorker,
  NamedShape,
  ReadingWorkerData,
  ToReadingWorker,
} from './onnx-reading-worker.ts';
import type { ReaderInit } from './reader.ts';
import { runtimeFailure } from './runtime-failure.ts';
import { shareInBlocks } from './share-in-blocks.ts';
import { toOnnx } from './to-onnx.ts';

export interface OnnxReadingInit extends ReaderInit {
  readonly provider: OnnxProvider;
  readonly threads: number;
}

/**
 * A program with constant weights whose runs happen in a thread of its own: the caller's event loop stays free, and one batch is computed while
 * the next is prepared. The weights that its `run` is given are not looked at.
 *
 * The thread keeps the process alive only during a run, and ends with `close`.
 *
 * @throws {ComputeError} `BAD_INPUT`, `PROVIDER_MISSING`, `ENGINE_FAILED`, `OUT_OF_MEMORY`.
 */
export async function createOnnxReader(
  graph: Graph,
  weights: Float32Array,
  { provider, threads, int8 }: OnnxReadingInit,
  forget: () => void,
): Promise<Program> {
  const exposed = exposeDropout(graph);
  const isCpu = provider === 'cpu';
  const inputs = exposed.graph.inputs.map((index) => named(exposed.graph, index));
  const isWhole = isCpu && int8 !== undefined;
  const block = isCpu && !isWhole ? await blockFor(graph) : undefined;
  const target = isCpu ? (block === undefined ? 'reading' : 'cpu') : 'portable';
  const exact = toOnnx(exposed.graph, { weights, target, block });
  const check = createFeedCheck(graph);
  for (const sample of int8 ?? []) check(sample, weights);
  const data: ReadingWorkerData = {
    model: isWhole ? await quantized(exact, inputs, int8.map(exposed.withMasks)) : exact,
    session: {
      ...sessionOptions(provider, threads, isWhole ? await int8Precision() : null),
      // A model in blocks is as it should be executed; its kernels are put in order once.
      ...(block !== undefined && { graphOptimizationLevel: 'basic' }),
    },
    inputs,
    outputs: graph.outputs.map(({ name, node }) => ({ ...named(graph, node), name })),
  };
  const thread = await startThread(data, provider);
  return createProgram(
    graph,
    async (inputs) => ({ outputs: await thread.run(exposed.withMasks(inputs)) }),
    async () => {
      forget();
      await thread.end();
    },
  );
}

/** The runtime's block where most of the graph's work is on channels that fill blocks; else its own optimiser does better, by filling them up. */
async function blockFor(graph: Graph): Promise<number | undefined> {
  const block = await blockedChannels();
  return block !== undefined && shareInBlocks(graph, block) > leastShareInBlocks
    ? block
    : undefined;
}

const leastShareInBlocks = 0.9;

/** On a GPU float32 stays: whole numbers are what CPUs multiply faster. */
async function quantized(
  model: Uint8Array,
  inputs: readonly NamedShape[],
  samples: readonly Readonly<Record<string, Float32Array>>[],
): Promise<Uint8Array> {
  const tensors = quantizedTensors(model);
  return quantizeModel(model, await measureRanges(model, tensors, inputs, samples));
}

function named(graph: Graph, index: number): NamedShape {
  const { name, shape } = nodeAt(graph.nodes, index);
  return { name, shape };
}

function sessionOptions(
  provider: OnnxProvider,
  threads: number,
  int8: Int8Precision | null,
): InferenceSession.SessionOptions {
  return {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    // With constant weights the layout changes of 'all' pay: convolutions on blocks of channels. Those of whole numbers have a layout of their own.
    graphOptimizationLevel: int8 === null ? 'all' : 'extended',
    logSeverityLevel: 4,
    extra: {
      session: {
        disable_cpu_ep_fallback: provider === 'cpu' ? '0' : '1',
        // Threads that wait must sleep: the core is wanted by whoever prepares the next batch.
        intra_op: { allow_spinning: '0' },
        ...(int8 !== null && { x64quantprecision: int8 }),
      },
    },
  };
}

interface ReadingThread {
  /** Calls must not overlap. */
  run(inputs: Readonly<Record<string, Float32Array>>): Promise<Record<string, Float32Array>>;
  end(): Promise<void>;
}

async function startThread(
  data: ReadingWorkerData,
  provider: OnnxProvider,
): Promise<ReadingThread> {
  const worker = new Worker(entryFile(), { workerData: data });
  let isOver = false;
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  let waiting: ((message: FromReadingWorker) => void) | null = null;
  const settle = (message: FromReadingWorker): void => {
    const receive = waiting;
    waiting = null;
    receive?.(message);
  };
  worker.on('message', settle);
  worker.on('error', (error) => settle({ kind: 'failed', words: wordsOf(error) }));
  worker.on('exit', () => {
    isOver = true;
    settle(over);
  });
  const answer = (): Promise<FromReadingWorker> =>
    new Promise((resolve) => {
      waiting = resolve;
    });

  const started = await answer();
  if (started.kind === 'failed') {
    await ended;
    throw runtimeFailure(
      `onnxruntime could not prepare the graph on ${provider}`,
      started.words,
      provider === 'cpu' ? 'ENGINE_FAILED' : 'PROVIDER_MISSING',
    );
  }
  worker.unref();
  return {
    run: async (inputs) => {
      worker.ref();
      const answered = isOver ? over : answer();
      const copies = copied(inputs);
      worker.postMessage(
        copies satisfies ToReadingWorker,
        Object.values(copies).map(({ buffer }) => buffer),
      );
      const message = await answered;
      worker.unref();
      if (message.kind === 'outputs') return message.outputs;
      throw runtimeFailure('onnxruntime failed during a run', message.words);
    },
    end: async () => {
      worker.ref();
      worker.postMessage(null satisfies ToReadingWorker);
      await ended;
    },
  };
}

/** Posted as it is, a part of a buffer would take the whole buffer along. */
function copied(
  inputs: Readonly<Record<string, Float32Array>>,
): Record<string, Float32Array<ArrayBuffer>> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, values]) => [name, new Float32Array(values)]),
  );
}

const over: FromReadingWorker = { kind: 'failed', words: 'the reading thread has ended' };

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The sibling entry: a .ts file when run from sources, a .js file when built. */
function entryFile(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./onnx-reading-worker.${extension}`, import.meta.url));
}
