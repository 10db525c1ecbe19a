import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { differentiate, type Graph, layoutOf, sizeOf, toOnnx } from '@consilium/compute';
import { type EngineChoice, providerOf } from './kit-engine.ts';
import { type KernelTime, kernelsOf, type ProfileEvent } from './profile-kernels.ts';
import { drawBatch, type StepSize, startWeights, unetGraph, unetReader } from './unet-step.ts';

export interface ProfileSettings extends EngineChoice, StepSize {
  readonly work: 'training step' | 'reading';
  readonly runs: number;
}

export interface ProfileRow extends StepSize {
  readonly work: ProfileSettings['work'];
  readonly clock: 'device' | 'processor';
  /** One run as a whole, by the processor's clock and with the profiler on. */
  readonly runMs: number;
  readonly kernels: readonly KernelTime[];
}

/** The part of onnxruntime's interface that engines do not show. */
interface Runtime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: object): Promise<ProfiledSession>;
  };
  readonly Tensor: new (type: 'float32', data: Float32Array, shape: readonly number[]) => object;
}

interface ProfiledSession {
  run(feeds: Readonly<Record<string, object>>): Promise<unknown>;
  endProfiling(): void;
  release(): Promise<void>;
}

/** Lets onnxruntime itself tell what it executes and how long each operator takes. */
export async function profilePart(
  settings: ProfileSettings,
  say: (row: ProfileRow) => void,
): Promise<void> {
  const { work, batch, size, runs } = settings;
  const graph =
    work === 'reading' ? unetReader(settings) : differentiate(unetGraph(settings), 'loss');
  const folder = mkdtempSync(join(tmpdir(), 'consilium-profile-'));
  try {
    const runMs = await runProfiled(graph, settings, join(folder, 'profile'));
    const [file] = readdirSync(folder);
    if (file === undefined) throw new Error('onnxruntime wrote no profile');
    const events: ProfileEvent[] = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    say({ work, batch, size, runMs, ...kernelsOf(events, runs, convolutionFlop(graph)) });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** By the layer's name: what its convolution multiplies and adds. */
function convolutionFlop(graph: Graph): Map<string, number> {
  const flop = new Map<string, number>();
  for (const node of graph.nodes) {
    if (node.op !== 'conv') continue;
    const kernel = graph.nodes[node.inputs[1]]?.shape ?? [];
    flop.set(node.name, 2 * sizeOf(node.shape) * sizeOf(kernel.slice(1)));
  }
  return flop;
}

async function runProfiled(
  graph: Graph,
  settings: ProfileSettings,
  profileFilePrefix: string,
): Promise<number> {
  // The very runtime that compute's engines use, by compute's own way to it: an engine has no profiler.
  const runtime: Runtime = createRequire(import.meta.resolve('@consilium/compute'))(
    'onnxruntime-node',
  );
  const provider = providerOf(settings.engine);
  const weights = startWeights(graph, 7);
  // As the engines do it: a training step is given its weights, a reader has them inside.
  const reads = settings.work === 'reading';
  const onCpu = reads ? 'reading' : 'cpu';
  const target = provider === 'cpu' ? onCpu : 'portable';
  const model = toOnnx(graph, reads ? { weights, target } : { target });
  const session = await runtime.InferenceSession.create(model, {
    executionProviders: [provider],
    intraOpNumThreads: settings.threads,
    graphOptimizationLevel: reads ? 'all' : 'extended',
    logSeverityLevel: 4,
    enableProfiling: true,
    profileFilePrefix,
  });
  const feeds: Record<string, object> = {};
  const images: Readonly<Record<string, Float32Array>> = drawBatch(settings, 3);
  for (const index of graph.inputs) {
    const { name = '', shape = [] } = graph.nodes[index] ?? {};
    feeds[name] = new runtime.Tensor('float32', images[name] ?? new Float32Array(), shape);
  }
  for (const { name, shape, offset, length } of reads ? [] : layoutOf(graph).tensors) {
    feeds[name] = new runtime.Tensor('float32', weights.subarray(offset, offset + length), shape);
  }
  let last = 0;
  for (let run = 0; run < settings.runs; run++) {
    const began = performance.now();
    await session.run(feeds);
    last = performance.now() - began;
  }
  session.endProfiling();
  await session.release();
  return last;
}
