// Our side of bench:compute, a process of its own so that its memory and its processor time are its own. The first line on stdin is an
// Assignment, every other one {"runs": n}; the first line answered is a Greeting, every other one a Turn.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import {
  adam,
  compileReader,
  compileTraining,
  createEngine,
  differentiate,
  type Engine,
  type EngineName,
  type Graph,
  isEngineName,
  layoutOf,
  sizeOf,
} from '@consilium/compute';
import { createMechanism, oneByOne } from '@consilium/privacy';
import { type Assignment, type Greeting, type RunTime, spread, type Turn } from './assignment.ts';

interface Contestant {
  readonly greeting: Omit<Greeting, 'name'>;
  run(): Promise<unknown>;
}

// As PyTorch's side.
const learningRate = 1e-3;
const beta1 = 0.9;

const lines = createInterface({ input: process.stdin });
let contestant: Contestant | undefined;
let engine: Engine | undefined;
for await (const line of lines) {
  if (contestant === undefined) {
    const assignment: Assignment = JSON.parse(line);
    engine = await createEngine(nameOfEngine(), { threads: assignment.threads });
    contestant = await prepare(engine, assignment);
    answer({ name: engine.name, ...contestant.greeting });
  } else {
    const { runs }: { runs: number } = JSON.parse(line);
    const times: RunTime[] = [];
    for (let i = 0; i < runs; i++) times.push(await timed(contestant.run));
    answer({ times, peakBytes: peakBytes() });
  }
}
await engine?.close();

function nameOfEngine(): EngineName {
  const [name = ''] = process.argv.slice(2);
  if (!isEngineName(name)) throw new RangeError(`there is no engine ${JSON.stringify(name)}`);
  return name;
}

function prepare(engine: Engine, assignment: Assignment): Promise<Contestant> {
  switch (assignment.work.kind) {
    case 'train':
      return prepareTrain(engine, assignment);
    case 'private':
      return preparePrivate(engine, assignment, assignment.work.patients);
    case 'read':
      return prepareRead(engine, assignment, assignment.work.slices);
    case 'product':
      return prepareProduct(engine, assignment);
  }
}

async function prepareTrain(engine: Engine, { graph, seed }: Assignment): Promise<Contestant> {
  const weights = startWeights(graph, seed);
  const optimizer = adam({ learningRate, beta1 });
  const start = { weights, state: optimizer.start(weights.length) };
  const training = await compileTraining(
    engine,
    differentiate(graph, 'loss'),
    { optimizer },
    start,
  );
  const inputs = inputsOf(graph, seed);
  const outputs = await training.step(inputs);
  // After one step Adam's first moment is the gradient, times what the rule takes of a new one.
  const { state } = await training.read();
  return {
    greeting: {
      parameters: weights.length,
      value: given(outputs['loss'])[0] ?? null,
      gradientNorm: normOf(state.first) / (1 - beta1),
    },
    run: () => training.step(inputs),
  };
}

/** The real mechanism, exact discrete noise included. Every patient is drawn, so that each step has just the expected number. */
async function preparePrivate(
  engine: Engine,
  { graph, seed }: Assignment,
  patients: number,
): Promise<Contestant> {
  const program = await engine.compile(differentiate(graph, 'loss'));
  const weights = startWeights(graph, seed);
  const pixels = sizeOf(graph.nodes[graph.inputs[0] ?? 0]?.shape ?? []);
  const cohort = Array.from({ length: patients }, (_, patient) =>
    inputsOf(graph, seed, patient * pixels),
  );
  const mechanism = createMechanism(
    { random: randomBytes },
    {
      sampleRate: 1,
      noiseMultiplier: 1,
      clipNorm: 1,
      gridExponent: -20,
      expectedBatch: patients,
    },
  );
  const optimizer = adam({ learningRate });
  const state = optimizer.start(weights.length);
  const gradientsOf = oneByOne(async (patient) =>
    given((await program.run(cohort[patient] ?? {}, weights)).gradient),
  );
  const { outputs, gradient } = await program.run(cohort[0] ?? {}, weights);
  return {
    greeting: {
      parameters: weights.length,
      value: given(outputs['loss'])[0] ?? null,
      gradientNorm: normOf(given(gradient)),
    },
    async run() {
      const release = await mechanism.step({
        patients,
        dimension: weights.length,
        gradientsOf,
      });
      optimizer.step(weights, release, state);
    },
  };
}

async function prepareRead(
  engine: Engine,
  { graph, seed }: Assignment,
  slices: number,
): Promise<Contestant> {
  const weights = startWeights(graph, seed);
  const reader = await compileReader(engine, graph, weights);
  const [batch = 1, ...slice] = graph.nodes[graph.inputs[0] ?? 0]?.shape ?? [];
  const scan = new Float32Array(slices * sizeOf(slice)).map((_, index) => spread(index, seed));
  const reading = new Float32Array(scan.length).fill(Number.NaN);
  const length = batch * sizeOf(slice);
  let at = 0;
  const run = async (): Promise<void> => {
    const image = scan.subarray(at, at + length);
    const outputs = await reader.run({ image });
    reading.set(given(outputs['probability']), at);
    at = (at + length) % scan.length;
  };
  await run();
  const sum = reading.subarray(0, length).reduce((total, value) => total + value, 0);
  return {
    greeting: { parameters: weights.length, value: sum / length, gradientNorm: null },
    run,
  };
}

async function prepareProduct(engine: Engine, { graph, seed }: Assignment): Promise<Contestant> {
  const program = await engine.compile(graph);
  const weights = startWeights(graph, seed);
  const inputs = inputsOf(graph, seed);
  return {
    greeting: { parameters: weights.length, value: null, gradientNorm: null },
    run: () => program.run(inputs, weights),
  };
}

function normOf(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
}

/** He's uniform bound for the filters, ones for scales, zeros for everything else. */
function startWeights(graph: Graph, seed: number): Float32Array {
  const layout = layoutOf(graph);
  const weights = new Float32Array(layout.length);
  for (const { name, offset, length, shape } of layout.tensors) {
    const bound = shape.length > 2 ? Math.sqrt(6 / sizeOf(shape.slice(1))) : 0;
    const base = name.endsWith('scale') ? 1 : 0;
    for (let i = offset; i < offset + length; i++) {
      weights[i] = base + bound * (2 * spread(i, seed) - 1);
    }
  }
  return weights;
}

/** Every input of the graph from the sequence, value `start` on; a target is where the image is bright. */
function inputsOf(graph: Graph, seed: number, start = 0): Record<string, Float32Array> {
  const inputs: Record<string, Float32Array> = {};
  for (const index of graph.inputs) {
    const { name = '', shape = [] } = graph.nodes[index] ?? {};
    const values = new Float32Array(sizeOf(shape)).map((_, i) => spread(start + i, seed));
    inputs[name] = name === 'target' ? values.map((value) => (value > 0.7 ? 1 : 0)) : values;
  }
  return inputs;
}

async function timed(run: () => Promise<unknown>): Promise<RunTime> {
  const start = performance.now();
  const startCpu = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(startCpu);
  return { wallMs: performance.now() - start, cpuMs: (user + system) / 1000 };
}

function peakBytes(): number | null {
  if (process.platform !== 'linux') return null;
  const kibibytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}

function answer(message: Greeting | Turn): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the graph did not give what was asked of it');
  return value;
}
