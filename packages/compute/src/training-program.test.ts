import { describe, expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { differentiate } from './differentiate.ts';
import type { Engine } from './engine.ts';
import { ComputeError } from './error.ts';
import { type Graph, gradientLayoutOf, layoutOf } from './graph.ts';
import { createOnnxEngine, type OnnxProvider } from './onnx-engine.ts';
import { createOnnxTraining } from './onnx-training.ts';
import { createRandom, relativeError } from './operator-cases.ts';
import { adam, type Optimizer, sgd } from './optimizer.ts';
import {
  compileTraining,
  type TrainingInit,
  type TrainingProgram,
  type TrainingState,
} from './training-program.ts';

/** A small network whose loss falls. */
function network(trained?: readonly string[]): Graph {
  const g = createGraph();
  const x = g.input('x', [3, 2, 6, 6]);
  const first = g.conv2d(x, g.parameter('first', [4, 2, 3, 3]), g.parameter('bias', [4]));
  const normed = g.groupNorm(first, g.parameter('scale', [4]), g.parameter('shift', [4]), 2);
  const logits = g.conv2d(g.silu(normed), g.parameter('head', [1, 4, 1, 1]));
  g.output('loss', g.bceWithLogits(logits, g.input('target', [3, 1, 6, 6])));
  return differentiate(g.build(), 'loss', { ...(trained && { trained }) });
}

const random = createRandom(4);
const draw = (length: number): Float32Array => Float32Array.from({ length }, () => random() - 0.5);
const batches = Array.from({ length: 12 }, () => ({
  x: draw(3 * 72),
  target: draw(3 * 36).map((value) => (value > 0.2 ? 1 : 0)),
}));
const startWeights = draw(layoutOf(network()).length);
const startOf = (graph: Graph, optimizer: Optimizer): TrainingState => ({
  weights: startWeights.slice(),
  state: optimizer.start(gradientLayoutOf(graph).length),
});

const rules: readonly { name: string; optimizer: Optimizer }[] = [
  { name: 'adam', optimizer: adam({ learningRate: 0.02, weightDecay: 0.1 }) },
  { name: 'sgd', optimizer: sgd({ learningRate: 0.3, momentum: 0.7 }) },
];

/** Ways to train on onnxruntime: the engine's own choice, and the whole step as one session wherever it runs. */
const kinds: readonly {
  name: string;
  make: (
    engine: Engine,
    graph: Graph,
    init: TrainingInit,
    start: TrainingState,
  ) => Promise<TrainingProgram>;
  provider: OnnxProvider;
}[] = [
  { name: 'the cpu engine', provider: 'cpu', make: compileTraining },
  {
    name: 'one session on the cpu',
    provider: 'cpu',
    make: (_, graph, init, start) =>
      createOnnxTraining(graph, init, start, { provider: 'cpu', threads: 1 }, () => undefined),
  },
  { name: 'the webgpu engine', provider: 'webgpu', make: compileTraining },
];

/** Any Vulkan device will do. Without one there is nothing to test, and `onnx-webgpu.test.ts` checks that the engine says so. */
async function engineOn(provider: OnnxProvider): Promise<Engine | null> {
  const engine = createOnnxEngine({ provider });
  try {
    const g = createGraph();
    g.output('y', g.relu(g.input('x', [4])));
    await (await engine.compile(g.build())).close();
    return engine;
  } catch (error) {
    if (error instanceof ComputeError && error.code === 'PROVIDER_MISSING') return null;
    throw error;
  }
}

const engines = new Map<OnnxProvider, Engine | null>();
for (const provider of ['cpu', 'webgpu'] as const) engines.set(provider, await engineOn(provider));

/** The same steps by hand: a run of the gradient, then the optimizer. */
async function byHand(
  graph: Graph,
  { optimizer, clipNorm = Infinity, shares }: TrainingInit,
  steps: number,
): Promise<TrainingState> {
  const engine = createOnnxEngine();
  const program = await engine.compile(graph);
  const { weights, state } = startOf(graph, optimizer);
  const part = gradientLayoutOf(graph);
  const places = part.tensors.flatMap(({ name, length }) => {
    const offset = layoutOf(graph).tensors.find((slot) => slot.name === name)?.offset ?? 0;
    return Array.from({ length }, (_, i) => offset + i);
  });
  for (let step = 0; step < steps; step++) {
    const { gradient = new Float32Array() } = await program.run(batches[step] ?? {}, weights);
    const factor = Math.min(1, clipNorm / Math.hypot(...gradient));
    const before = Float32Array.from(places, (place) => weights[place] ?? 0);
    const moving = before.slice();
    optimizer.step(
      moving,
      gradient.map((value) => value * factor),
      state,
      { learningRate: rateAt(step) },
    );
    for (const [i, place] of places.entries()) {
      const from = before[i] ?? 0;
      weights[place] = from + (shares?.[i] ?? 1) * ((moving[i] ?? 0) - from);
    }
  }
  await engine.close();
  return { weights, state };
}

const rateAt = (step: number): number => 0.02 / (1 + step);

describe.each(kinds)('$name', ({ make, provider }) => {
  const engine = engines.get(provider) ?? null;

  // One rule is enough where every program has to be compiled for a device.
  const tried = provider === 'cpu' ? rules : rules.slice(0, 1);
  describe.skipIf(engine === null).each(tried)('$name (needs the device)', ({ optimizer }) => {
    const graph = network();
    const shares = Float32Array.from(
      { length: gradientLayoutOf(graph).length },
      (_, i) => (i % 3) / 2,
    );

    test.each<[string, TrainingInit, readonly string[] | undefined]>([
      ['plain', { optimizer }, undefined],
      ['with clipping and shares', { optimizer, clipNorm: 0.05, shares }, undefined],
      ['of some parameters', { optimizer }, ['scale', 'head']],
    ])('trains as step by step: %s', async (_, init, trained) => {
      const own = network(trained);
      const program = await make(engine as Engine, own, init, startOf(own, optimizer));
      const losses: number[] = [];
      for (const [step, batch] of batches.entries()) {
        const { loss } = await program.step(batch, { learningRate: rateAt(step) });
        losses.push(loss?.[0] ?? Number.NaN);
        if (step === 4) await program.read();
      }
      const reached = await program.read();
      await program.close();
      const expected = await byHand(own, init, batches.length);
      expect(relativeError(reached.weights, expected.weights)).toBeLessThan(1e-5);
      expect(relativeError(reached.state.first, expected.state.first)).toBeLessThan(1e-3);
      expect(relativeError(reached.state.second, expected.state.second)).toBeLessThan(1e-3);
      expect(reached.state.steps).toBe(batches.length);
      expect(losses.every(Number.isFinite)).toBe(true);
      expect(reached.weights).not.toEqual(startWeights);
    });

    test('weights that are not trained keep their bits, and so does what was handed in', async () => {
      const own = network(['head']);
      const start = startOf(own, optimizer);
      const program = await make(engine as Engine, own, { optimizer }, start);
      await program.step(batches[0] ?? {});
      const { weights } = await program.read();
      await program.close();
      const { offset = 0, length = 0 } =
        layoutOf(own).tensors.find(({ name }) => name === 'head') ?? {};
      const rest = (values: Float32Array): number[] => [
        ...values.subarray(0, offset),
        ...values.subarray(offset + length),
      ];
      expect(rest(weights)).toEqual(rest(startWeights));
      expect(weights).not.toEqual(startWeights);
      expect(start.weights).toEqual(startWeights);
      expect(start.state).toEqual(optimizer.start(length));
    });

    test('goes on from where it was read', async () => {
      const through = await make(engine as Engine, graph, { optimizer }, startOf(graph, optimizer));
      for (const batch of batches.slice(0, 4)) await through.step(batch);
      const half = await make(engine as Engine, graph, { optimizer }, startOf(graph, optimizer));
      for (const batch of batches.slice(0, 2)) await half.step(batch);
      const rest = await make(engine as Engine, graph, { optimizer }, await half.read());
      for (const batch of batches.slice(2, 4)) await rest.step(batch);
      expect(await rest.read()).toEqual(await through.read());
      for (const program of [through, half, rest]) await program.close();
    });

    test('a step that is refused or aborted changes nothing; steps asked for at once take turns', async () => {
      const program = await make(engine as Engine, graph, { optimizer }, startOf(graph, optimizer));
      const reason = new Error('the round is over');
      await expect(program.step({})).rejects.toMatchObject({ code: 'BAD_INPUT' });
      await expect(
        program.step(batches[0] ?? {}, { signal: AbortSignal.abort(reason) }),
      ).rejects.toBe(reason);
      expect((await program.read()).weights).toEqual(startWeights);
      await Promise.all(batches.slice(0, 3).map((batch) => program.step(batch)));
      const other = await make(engine as Engine, graph, { optimizer }, startOf(graph, optimizer));
      for (const batch of batches.slice(0, 3)) await other.step(batch);
      expect(await program.read()).toEqual(await other.read());
      await program.close();
      await program.close();
      await other.close();
      await expect(program.step(batches[0] ?? {})).rejects.toMatchObject({ code: 'CLOSED' });
    });
  });
});

test('what does not belong together is refused before anything is compiled', async () => {
  const graph = network();
  const optimizer = adam();
  const engine = createOnnxEngine();
  const start = startOf(graph, optimizer);
  const tooShort = { ...start, weights: start.weights.subarray(1) };
  await expect(compileTraining(engine, graph, { optimizer }, tooShort)).rejects.toMatchObject({
    code: 'BAD_STATE',
  });
  await expect(compileTraining(engine, graph, { optimizer: sgd() }, start)).rejects.toMatchObject({
    code: 'BAD_STATE',
  });
  const shares = new Float32Array(3);
  await expect(compileTraining(engine, graph, { optimizer, shares }, start)).rejects.toMatchObject({
    code: 'BAD_INPUT',
  });
  await engine.close();
});
