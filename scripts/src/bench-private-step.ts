// What privacy adds to a training step: the reference U-Net on 16 patients of 4 slices, each patient's gradient by itself, clipped, brought to the grid,
// summed, with discrete Gaussian noise on every one of its 487,713 values - against the same 64 slices without privacy, in the faster of two ways:
// one batch of 64, or 16 batches of 4 whose gradients are added. In turns, one thread, forward, backward and Adam each.
//   npm run bench:private-step -- [--rounds 7] [--seed 1]
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { adam, createOnnxEngine, differentiate, type Engine, layoutOf } from '@consilium/compute';
import { seeded } from '@consilium/model';
import { createMechanism, oneByOne } from '@consilium/privacy';
import { referenceUNet } from './reference-unet.ts';

const bar = 1.3;
const network = { size: 128, widths: [16, 32, 64, 128], groups: 8 };
const patients = 16;
const slicesPerPatient = 4;
// Every patient is drawn, so that each step has just the expected 16: the draws themselves are made all the same.
const spec = {
  sampleRate: 1,
  noiseMultiplier: 1,
  clipNorm: 1,
  gridExponent: -20,
  expectedBatch: patients,
};

interface StepTime {
  readonly wallMs: number;
  readonly cpuMs: number;
}

interface Contestant {
  readonly name: string;
  step(): Promise<void>;
  readonly times: StepTime[];
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seed: { type: 'string', default: '1' },
  },
});
const rounds = Number(options.rounds);
const seed = Number(options.seed);

const engine = createOnnxEngine({ threads: 1 });
const { length: dimension, ...contestants } = await prepare(engine);
const { privately, added, atOnce, mechanismAlone } = contestants;
const all = [privately, added, atOnce, mechanismAlone];
for (const { step } of all) await step(); // warm up
for (let round = 0; round < rounds; round++) {
  for (const contestant of all) contestant.times.push(await timed(contestant.step));
  const soFar = all.map(({ name, times }) => `${name} ${median(times, 'wallMs').toFixed(0)} ms`);
  console.error(`round ${round + 1}/${rounds}: ${soFar.join(', ')}`);
}
await engine.close();
await report();

/** Every contestant trains weights of its own, from the same start on the same slices. */
async function prepare(engine: Engine): Promise<{
  length: number;
  privately: Contestant;
  added: Contestant;
  atOnce: Contestant;
  mechanismAlone: Contestant;
}> {
  const graph = differentiate(referenceUNet({ ...network, batch: slicesPerPatient }), 'loss');
  const layout = layoutOf(graph);
  const small = await engine.compile(graph);
  const large = await engine.compile(
    differentiate(referenceUNet({ ...network, batch: patients * slicesPerPatient }), 'loss'),
  );
  const random = seeded('private step', seed);
  const start = new Float32Array(layout.length);
  for (const { name, offset, length, shape } of layout.tensors) {
    const bound = shape.length === 4 ? Math.sqrt(6 / (length / (shape[0] ?? 1))) : 0;
    const base = name.endsWith('scale') ? 1 : 0;
    for (let i = offset; i < offset + length; i++) start[i] = base + random.between(-bound, bound);
  }
  const pixels = network.size ** 2;
  const image = Float32Array.from({ length: patients * slicesPerPatient * pixels }, random.uniform);
  const target = image.map((value) => (value > 0.7 ? 1 : 0));
  const slicesOf = (values: Float32Array, patient: number): Float32Array =>
    values.subarray(patient * slicesPerPatient * pixels, (patient + 1) * slicesPerPatient * pixels);
  const gradientOf = async (patient: number, weights: Float32Array): Promise<Float32Array> => {
    const inputs = { image: slicesOf(image, patient), target: slicesOf(target, patient) };
    return given((await small.run(inputs, weights)).gradient);
  };
  const contestant = (
    name: string,
    gradientAt: (weights: Float32Array) => Promise<Float32Array>,
  ): Contestant => {
    const weights = start.slice();
    const optimizer = adam({ learningRate: 1e-3 });
    const state = optimizer.start(weights.length);
    return {
      name,
      times: [],
      step: async () => optimizer.step(weights, await gradientAt(weights), state),
    };
  };
  const mechanism = createMechanism({ random: randomBytes }, spec);
  const release = (of: (patient: number) => Promise<Float32Array>): Promise<Float32Array> =>
    mechanism.step({ patients, dimension: layout.length, gradientsOf: oneByOne(of) });
  const ready = await gradientOf(0, start);
  return {
    length: layout.length,
    privately: contestant('private', (weights) => release((each) => gradientOf(each, weights))),
    added: contestant('16 batches of 4', async (weights) => {
      const sum = new Float32Array(layout.length);
      for (let patient = 0; patient < patients; patient++) {
        const gradient = await gradientOf(patient, weights);
        for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (gradient[i] as number);
      }
      return sum.map((value) => value / patients);
    }),
    atOnce: contestant('1 batch of 64', async (weights) =>
      given((await large.run({ image, target }, weights)).gradient),
    ),
    mechanismAlone: contestant('mechanism alone', () => release(async () => ready)),
  };
}

async function timed(step: () => Promise<void>): Promise<StepTime> {
  const start = performance.now();
  const startCpu = process.cpuUsage();
  await step();
  const { user, system } = process.cpuUsage(startCpu);
  return { wallMs: performance.now() - start, cpuMs: (user + system) / 1000 };
}

async function report(): Promise<void> {
  const figures = all.map(({ name, times }) => ({
    step: name,
    'median ms': Math.round(median(times, 'wallMs')),
    'fastest ms': Math.round(Math.min(...times.map(({ wallMs }) => wallMs))),
    'median CPU ms': Math.round(median(times, 'cpuMs')),
    steps: times.length,
  }));
  console.table(figures);
  const peer = median(added.times, 'wallMs') < median(atOnce.times, 'wallMs') ? added : atOnce;
  const ratio = ratioTo(peer, 'wallMs');
  const cpuRatio = ratioTo(peer, 'cpuMs');
  const result = {
    machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, load: loadavg()[0] ?? 0 },
    commit: execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim(),
    seed,
    network: { ...network, parameters: dimension },
    patients,
    slicesPerPatient,
    mechanism: spec,
    threads: 1,
    ms: Object.fromEntries(figures.map(({ step, ...figure }) => [step, figure])),
    peer: peer.name,
    ratio,
    cpuRatio,
  };
  await mkdir('results', { recursive: true });
  await writeFile('results/private-step.json', `${JSON.stringify(result, null, 2)}\n`);
  console.log(
    `private ÷ ${peer.name}: ${ratio.toFixed(2)} by the clock (bar: at most ${bar}), ${cpuRatio.toFixed(2)} by processor time`,
  );
  const [load = 0] = loadavg();
  if (load > cpus().length)
    console.log(`this machine is busy (load ${load.toFixed(1)}): repeat it on an idle one`);
  if (ratio > bar) process.exitCode = 1;
}

/** The median over rounds of the private step's time by the other's in the same round. */
function ratioTo(peer: Contestant, kind: keyof StepTime): number {
  const ratios = privately.times.map(
    (time, round) => time[kind] / (peer.times[round]?.[kind] ?? Number.NaN),
  );
  return middle(ratios);
}

function median(times: readonly StepTime[], kind: keyof StepTime): number {
  return middle(times.map((time) => time[kind]));
}

function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function given(gradient: Float32Array | undefined): Float32Array {
  if (gradient === undefined) throw new Error('the training graph gave no gradient');
  return gradient;
}
