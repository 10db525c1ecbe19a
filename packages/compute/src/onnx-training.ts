import { putPart, takePart } from '@consilium/weights';
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import { createGraph } from './builder.ts';
import { createFeedCheck } from './engine.ts';
import { ComputeError } from './error.ts';
import { exposeDropout } from './expose-dropout.ts';
import { type Graph, gradientLayoutOf, layoutOf, nodeAt, sizeOf } from './graph.ts';
import { formulationFor, openSession, type SessionInit } from './onnx-session.ts';
import { runtimeFailure } from './runtime-failure.ts';
import { toOnnx } from './to-onnx.ts';
import { momentsOf, ratesOf, toOnnxTraining } from './to-onnx-training.ts';
import type { TrainingInit, TrainingProgram, TrainingState } from './training-program.ts';
import { createTurns } from './turns.ts';

/**
 * Training with weights and moments that stay in the device's memory: each step's session run reads what the run before wrote, and only the
 * graph's outputs come back. On the CPU, whose memory is ours anyway, two sets of arrays take turns.
 *
 * @throws {ComputeError} `PROVIDER_MISSING`, `ENGINE_FAILED`, `OUT_OF_MEMORY`.
 */
export async function createOnnxTraining(
  graph: Graph,
  init: TrainingInit,
  start: TrainingState,
  sessionInit: SessionInit,
  forget: () => void,
): Promise<TrainingProgram> {
  const { optimizer } = init;
  const { graph: exposed, withMasks } = exposeDropout(graph);
  const { length } = gradientLayoutOf(graph);
  const names = ['trained', ...momentsOf(optimizer.rule)];
  const formulation = await formulationFor(sessionInit.provider);
  const model = toOnnxTraining(exposed, init, start.weights, formulation);
  const moving = await createMoving(startOf(graph, start), names, sessionInit);
  const session = await openSession(model, sessionInit, moving.isOnDevice ? names.map(nextOf) : []);
  const check = createFeedCheck(graph);
  const turns = createTurns();
  let { steps } = start.state;
  let closing: Promise<void> | undefined;
  const open = (): void => {
    if (closing !== undefined) throw new ComputeError('CLOSED', 'the training program is closed');
  };
  return {
    async step(inputs, { signal, learningRate = optimizer.learningRate } = {}) {
      open();
      check(inputs, start.weights);
      return turns.take(async () => {
        signal?.throwIfAborted();
        const feeds = { ...tensorsOf(exposed, withMasks(inputs)), ...moving.feeds() };
        const rates = ratesOf(optimizer.rule, learningRate, steps + 1);
        feeds['#rates'] = new Tensor('float32', rates, [rates.length]);
        const { results, fetches } = resultsOf(graph);
        const after = await runSession(session, feeds, { ...fetches, ...moving.fetches() });
        moving.advance(after);
        steps += 1;
        return results;
      });
    },
    async read() {
      open();
      return turns.take(async () => {
        const [trained, first, second] = await moving.read();
        const weights = start.weights.slice();
        putPart(
          layoutOf(graph),
          gradientLayoutOf(graph),
          weights,
          trained ?? new Float32Array(length),
        );
        const rule = optimizer.rule.name;
        const moments = {
          first: first ?? new Float32Array(),
          second: second ?? new Float32Array(),
        };
        return { weights, state: { rule, steps, ...moments } };
      });
    },
    close() {
      closing ??= turns.idle().then(async () => {
        forget();
        await moving.close();
        await session.release();
      });
      return closing;
    },
  };
}

/** The tensors that a step reads and writes anew. */
interface Moving {
  readonly isOnDevice: boolean;
  feeds(): Record<string, Tensor>;
  /** Where a step's results go: arrays of ours, or null for the device's memory. */
  fetches(): Record<string, Tensor | null>;
  /** Takes a step's results as the next one's feeds. */
  advance(after: Readonly<Record<string, Tensor>>): void;
  read(): Promise<Float32Array[]>;
  close(): Promise<void>;
}

async function createMoving(
  start: readonly Float32Array[],
  names: readonly string[],
  sessionInit: SessionInit,
): Promise<Moving> {
  const tensorOf = (values: Float32Array): Tensor => new Tensor('float32', values, [values.length]);
  let now = start.map(tensorOf);
  const feeds = (): Record<string, Tensor> => named(names, (place) => now[place]);
  if (sessionInit.provider === 'cpu') {
    let spare = start.map((values) => tensorOf(new Float32Array(values.length)));
    return {
      isOnDevice: false,
      feeds,
      fetches: () => named(names, (place) => spare[place], nextOf),
      advance: () => {
        [now, spare] = [spare, now];
      },
      read: async () => now.map(copyOf),
      close: async () => undefined,
    };
  }
  const reading = await openSession(identityModel(start[0]?.length ?? 0), sessionInit);
  let uploaded = false;
  const dispose = (): void => {
    // The first ones are arrays of ours. Without this each step's buffers would stay until the garbage collector came by.
    if (uploaded) for (const tensor of now) tensor.dispose();
  };
  return {
    isOnDevice: true,
    feeds,
    fetches: () => Object.fromEntries(names.map((name) => [nextOf(name), null])),
    advance: (after) => {
      dispose();
      now = names.map((name) => after[nextOf(name)]).filter((tensor) => tensor !== undefined);
      uploaded = true;
    },
    // The tensors' own way back, `getData`, ends the process in onnxruntime-node 1.30.
    read: async () => {
      if (!uploaded) return now.map(copyOf);
      const values: Float32Array[] = [];
      for (const x of now) {
        const { y } = await runSession(reading, { x }, { y: null });
        values.push(copyOf(y));
      }
      return values;
    },
    close: async () => {
      dispose();
      await reading.release();
    },
  };
}

/** Trained weights and moments, as arrays of their own. */
function startOf(graph: Graph, { weights, state }: TrainingState): Float32Array[] {
  const trained = takePart(layoutOf(graph), gradientLayoutOf(graph), weights);
  return [trained, state.first.slice(), state.second.slice()].filter(({ length }) => length > 0);
}

function nextOf(name: string): string {
  return `#next/${name}`;
}

function identityModel(length: number): Uint8Array {
  const g = createGraph();
  g.output('y', g.scale(g.input('x', [length]), 1));
  return toOnnx(g.build());
}

function named(
  names: readonly string[],
  tensorAt: (place: number) => Tensor | undefined,
  label: (name: string) => string = (name) => `#${name}`,
): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const [place, name] of names.entries()) {
    const tensor = tensorAt(place);
    if (tensor !== undefined) tensors[label(name)] = tensor;
  }
  return tensors;
}

function tensorsOf(
  graph: Graph,
  values: Readonly<Record<string, Float32Array>>,
): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const index of graph.inputs) {
    const { name, shape } = nodeAt(graph.nodes, index);
    feeds[name] = new Tensor('float32', values[name] ?? new Float32Array(), shape);
  }
  return feeds;
}

function resultsOf(graph: Graph): {
  results: Record<string, Float32Array>;
  fetches: Record<string, Tensor>;
} {
  const results: Record<string, Float32Array> = {};
  const fetches: Record<string, Tensor> = {};
  for (const { name, node } of graph.outputs) {
    const { shape } = nodeAt(graph.nodes, node);
    const values = new Float32Array(sizeOf(shape));
    results[name] = values;
    fetches[name] = new Tensor('float32', values, shape);
  }
  return { results, fetches };
}

async function runSession(
  session: InferenceSession,
  feeds: Record<string, Tensor>,
  fetches: Record<string, Tensor | null>,
): Promise<Record<string, Tensor>> {
  try {
    return (await session.run(feeds, fetches)) as Record<string, Tensor>;
  } catch (cause) {
    throw runtimeFailure('onnxruntime failed during a training step', cause);
  }
}

function copyOf(tensor: Tensor | undefined): Float32Array {
  return Float32Array.from((tensor?.data ?? []) as Float32Array);
}
