// Milliseconds per training step (forward, backward, Adam) of the reference U-Net in the onnx-cpu engine, and of the same network
// in PyTorch where Debian's python3-torch is installed: as many threads each, in turns, so that both meet the same machine.
//   node scripts/src/bench-train.ts [--threads 1] [--batch 4] [--size 128] [--rounds 8] [--steps 6] [--seed 1]
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { adam, createOnnxEngine, differentiate, layoutOf } from '@consilium/compute';
import { referenceUNet } from './reference-unet.ts';

const bars = { oneThread: 1.15, moreThreads: 1.3, memory: 1.2 };
const learningRate = 1e-3;

/** One training step's milliseconds: by the clock, and of processor time, which a busy machine does not stretch as much. */
interface StepTime {
  readonly wall: number;
  readonly cpu: number;
}

interface Contestant {
  readonly name: string;
  train(steps: number): Promise<StepTime[]>;
  /** The most memory its process has held, in MiB. */
  peakMib(): number;
  close(): Promise<void>;
}

const { values: options } = parseArgs({
  options: {
    threads: { type: 'string', default: '1' },
    batch: { type: 'string', default: '4' },
    size: { type: 'string', default: '128' },
    rounds: { type: 'string', default: '8' },
    steps: { type: 'string', default: '6' },
    seed: { type: 'string', default: '1' },
  },
});
const threads = Number(options.threads);
const network = {
  batch: Number(options.batch),
  size: Number(options.size),
  widths: [16, 32, 64, 128],
  groups: 8,
};
const bar = threads === 1 ? bars.oneThread : bars.moreThreads;
const rounds = Number(options.rounds);
const steps = Number(options.steps);
const seed = Number(options.seed);

const ours = await startOurs();
const torch = await startTorch();
const contestants = torch === undefined ? [ours] : [ours, torch];
const times = new Map<string, StepTime[]>(contestants.map(({ name }) => [name, []]));
for (const { train } of contestants) await train(3); // warm up
for (let round = 0; round < rounds; round++) {
  for (const { name, train } of contestants) times.get(name)?.push(...(await train(steps)));
  const soFar = [...times].map(([name, ms]) => `${name} ${median(ms, 'wall').toFixed(0)} ms`);
  console.error(`round ${round + 1}/${rounds}: ${soFar.join(', ')}`);
}
const peaks = new Map(contestants.map(({ name, peakMib }) => [name, peakMib()]));
for (const { close } of contestants) await close();

const figures = [...times].map(([engine, ms]) => ({
  engine,
  'median ms': round1(median(ms, 'wall')),
  'fastest ms': round1(Math.min(...ms.map(({ wall }) => wall))),
  'median CPU ms': round1(median(ms, 'cpu')),
  'peak MiB': Math.round(peaks.get(engine) ?? Number.NaN),
  steps: ms.length,
}));
console.table(figures);
const [own, other] = figures;
const ratio = own && other ? own['median ms'] / other['median ms'] : null;
const cpuRatio = own && other ? own['median CPU ms'] / other['median CPU ms'] : null;
const memoryRatio = own && other ? own['peak MiB'] / other['peak MiB'] : null;
const result = {
  machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, load: loadavg()[0] ?? 0 },
  commit: execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim(),
  seed,
  network: { ...network, parameters: 487_713 },
  threads,
  ms: Object.fromEntries(figures.map(({ engine, ...figure }) => [engine, figure])),
  ratio,
  cpuRatio,
  memoryRatio,
};
await mkdir('results', { recursive: true });
await writeFile('results/bench-train.json', `${JSON.stringify(result, null, 2)}\n`);
if (ratio === null || cpuRatio === null || memoryRatio === null) {
  console.log('ratio: none, PyTorch is missing here (apt install python3-torch)');
} else {
  console.log(
    `ratio: ${ratio.toFixed(2)} by the clock (bar: at most ${bar}), ${cpuRatio.toFixed(2)} by processor time`,
  );
  console.log(
    `peak memory: ${memoryRatio.toFixed(2)} of PyTorch's (bar: at most ${bars.memory}, at batch 16 and 256²)`,
  );
  const [load = 0] = loadavg();
  if (load > cpus().length)
    console.log(`this machine is busy (load ${load.toFixed(1)}): repeat it on an idle one`);
  if (ratio > bar) process.exitCode = 1;
}

async function startOurs(): Promise<Contestant> {
  const graph = differentiate(referenceUNet(network), 'loss');
  const layout = layoutOf(graph);
  const engine = createOnnxEngine({ threads });
  const program = await engine.compile(graph);
  const random = createUniform(seed);
  const weights = new Float32Array(layout.length);
  for (const { name, offset, length, shape } of layout.tensors) {
    const bound = shape.length === 4 ? Math.sqrt(6 / (length / (shape[0] ?? 1))) : 0;
    const base = name.endsWith('scale') ? 1 : 0;
    for (let i = offset; i < offset + length; i++) weights[i] = base + bound * (2 * random() - 1);
  }
  const pixels = network.batch * network.size ** 2;
  const image = Float32Array.from({ length: pixels }, random);
  const target = image.map((value) => (value > 0.7 ? 1 : 0));
  const optimizer = adam({ learningRate });
  const state = optimizer.start(layout.length);
  return {
    name: engine.name,
    async train(count) {
      const ms: StepTime[] = [];
      for (let step = 0; step < count; step++) {
        const start = performance.now();
        const startCpu = process.cpuUsage();
        const { gradient } = await program.run({ image, target }, weights);
        if (gradient === undefined) throw new Error('the training graph gave no gradient');
        optimizer.step(weights, gradient, state);
        const { user, system } = process.cpuUsage(startCpu);
        ms.push({ wall: performance.now() - start, cpu: (user + system) / 1000 });
      }
      return ms;
    },
    peakMib: () => process.resourceUsage().maxRSS / 1024,
    close: () => engine.close(),
  };
}

async function startTorch(): Promise<Contestant | undefined> {
  const python = '/usr/bin/python3';
  if (!existsSync(python)) return undefined;
  const script = new URL('bench-train-torch.py', import.meta.url).pathname;
  const init = JSON.stringify({ ...network, threads, learningRate, seed });
  const child = spawn(python, [script, init], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, OMP_NUM_THREADS: String(threads) },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const hello = await lines.next();
  if (hello.done) return undefined; // python3 without torch
  const { version, parameters } = JSON.parse(hello.value);
  if (parameters !== 487_713) throw new Error(`PyTorch's network has ${parameters} parameters`);
  let peak = Number.NaN;
  return {
    name: `PyTorch ${version}`,
    async train(count) {
      child.stdin.write(`${JSON.stringify({ steps: count })}\n`);
      const answer = await lines.next();
      if (answer.done) throw new Error('PyTorch ended early');
      const { ms, peakMib } = JSON.parse(answer.value);
      peak = peakMib;
      return ms;
    },
    peakMib: () => peak,
    async close() {
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}

function median(times: readonly StepTime[], kind: keyof StepTime): number {
  const sorted = times.map((time) => time[kind]).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function round1(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Uniform in [0, 1) from a seed, so that runs can be repeated (a linear congruential generator is enough to fill images). */
function createUniform(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
