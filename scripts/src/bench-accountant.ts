// Milliseconds that ε takes by each accountant, over what a study may ask: at most 2,500 steps and an ε up to 20. Every history is asked for
// in turns, so that all meet the same machine; times are of processor and by the clock, which a busy machine stretches.
//   node scripts/src/bench-accountant.ts [--rounds 5]
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { type Accountant, epsilon, rdpCurve, rdpEpsilon } from '@consilium/privacy';

const barMs = 1500;
const histories = [
  { sampleRate: 0.001, noiseMultiplier: 0.6, steps: 2500, delta: 1e-6 },
  { sampleRate: 0.01, noiseMultiplier: 0.7, steps: 120, delta: 1e-5 },
  { sampleRate: 0.04, noiseMultiplier: 1.5, steps: 2249, delta: 1e-5 },
  { sampleRate: 0.05, noiseMultiplier: 0.8, steps: 1000, delta: 1e-6 },
  { sampleRate: 0.1, noiseMultiplier: 2.2, steps: 2500, delta: 1e-10 },
  { sampleRate: 0.2, noiseMultiplier: 4, steps: 2500, delta: 1e-5 },
  { sampleRate: 0.5, noiseMultiplier: 1.1, steps: 20, delta: 1e-3 },
  { sampleRate: 0.32, noiseMultiplier: 6, steps: 300, delta: 1e-3 },
  { sampleRate: 1, noiseMultiplier: 15, steps: 2500, delta: 1e-5 },
  { sampleRate: 1, noiseMultiplier: 0.4, steps: 1, delta: 1e-6 },
];

/** One call's milliseconds: by the clock, and of processor time. */
interface CallTime {
  readonly wall: number;
  readonly cpu: number;
}

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const rounds = Number(options.rounds);

const figures = histories.map(({ delta, ...event }) => ({
  ...event,
  delta,
  epsilon: { rdp: 0, pld: 0 },
  times: { rdp: [] as CallTime[], pld: [] as CallTime[], again: [] as CallTime[] },
}));
for (let round = 0; round < rounds; round++) {
  for (const { sampleRate, noiseMultiplier, steps, delta, epsilon: found, times } of figures) {
    const ask = (accountant: Accountant) =>
      epsilon([{ sampleRate, noiseMultiplier, steps }], delta, accountant);
    found.rdp = timed(times.rdp, () => ask('rdp'));
    found.pld = timed(times.pld, () => ask('pld'));
    const curve = rdpCurve(sampleRate, noiseMultiplier);
    timed(times.again, () => rdpEpsilon([{ curve, steps }], delta));
  }
  console.error(`round ${round + 1}/${rounds}`);
}

const rows = figures.map(({ epsilon: found, times, ...history }) => ({
  q: history.sampleRate,
  σ: history.noiseMultiplier,
  steps: history.steps,
  δ: history.delta,
  'ε by RDP': Number(found.rdp.toFixed(4)),
  'ε by PLD': Number(found.pld.toFixed(4)),
  'RDP ms': median(times.rdp, 'wall'),
  'RDP again ms': median(times.again, 'wall'),
  'PLD ms': median(times.pld, 'wall'),
  'PLD CPU ms': median(times.pld, 'cpu'),
}));
console.table(rows);
const all = (kind: keyof CallTime) =>
  median(
    figures.flatMap(({ times }) => times.pld),
    kind,
  );
const result = {
  machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, load: loadavg()[0] ?? 0 },
  commit: execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim(),
  rounds,
  rows,
  pld: { medianMs: all('wall'), medianCpuMs: all('cpu'), barMs },
};
await mkdir('results', { recursive: true });
await writeFile('results/accountant.json', `${JSON.stringify(result, null, 2)}\n`);
console.log(
  `PLD: median ${result.pld.medianMs} ms by the clock (bar: at most ${barMs}), ${result.pld.medianCpuMs} ms of processor time`,
);
const [load = 0] = loadavg();
if (load > cpus().length)
  console.log(`this machine is busy (load ${load.toFixed(1)}): repeat it on an idle one`);
if (result.pld.medianMs > barMs) process.exitCode = 1;

function timed(times: CallTime[], ask: () => number): number {
  const start = performance.now();
  const startCpu = process.cpuUsage();
  const value = ask();
  const { user, system } = process.cpuUsage(startCpu);
  times.push({ wall: performance.now() - start, cpu: (user + system) / 1000 });
  return value;
}

function median(times: readonly CallTime[], kind: keyof CallTime): number {
  const sorted = times.map((time) => time[kind]).sort((a, b) => a - b);
  return Math.round((sorted[sorted.length >> 1] ?? Number.NaN) * 100) / 100;
}
