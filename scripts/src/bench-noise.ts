// Exact discrete Gaussian samples per second on one core, the operating system's random bytes included.
//   node scripts/src/bench-noise.ts [--rounds 7] [--samples 1000000]
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { createDiscreteGaussian } from '@consilium/privacy';

const bar = 800_000;
/** Small ones, those of a gradient's grid, right below and above a power of two (where uniform integers cost most), the largest. */
const sigmas = [
  1,
  2,
  4,
  10,
  2 ** 8,
  2 ** 16,
  2 ** 20 - 1,
  2 ** 20,
  1.4 * 2 ** 20,
  2 ** 32,
  2 ** 40,
];

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    samples: { type: 'string', default: '1000000' },
  },
});
const rounds = Number(options.rounds);
const samples = Number(options.samples);

const contestants = sigmas.map((sigma) => {
  const count = { bytes: 0 };
  const random = (length: number): Uint8Array => {
    count.bytes += length;
    return randomBytes(length);
  };
  return { sigma, count, noise: createDiscreteGaussian(random, sigma), rates: [] as number[] };
});
const values = new Float64Array(samples);
for (const { noise } of contestants) noise.addTo(values); // warm up
for (const { count } of contestants) count.bytes = 0;
for (let round = 0; round < rounds; round++) {
  for (const { noise, rates } of contestants) {
    const start = performance.now();
    noise.addTo(values);
    rates.push(samples / ((performance.now() - start) / 1000));
  }
  console.error(`round ${round + 1}/${rounds}`);
}

const figures = contestants.map(({ sigma, count, rates }) => ({
  sigma,
  'samples/s': Math.round(median(rates)),
  'slowest round': Math.round(Math.min(...rates)),
  'random bytes/sample': Math.round((10 * count.bytes) / (rounds * samples)) / 10,
}));
console.table(figures);
const slowest = Math.min(...figures.map((figure) => figure['samples/s']));
const result = {
  machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, load: loadavg()[0] ?? 0 },
  node: process.version,
  commit: execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim(),
  seed: null, // the operating system's generator has none
  rounds,
  samples,
  figures,
};
await mkdir('results', { recursive: true });
await writeFile('results/noise.json', `${JSON.stringify(result, null, 2)}\n`);
console.log(`slowest: ${slowest} samples/s (bar: at least ${bar})`);
if (slowest < bar) {
  const [load = 0] = loadavg();
  if (load > cpus().length)
    console.log(`this machine is busy (load ${load.toFixed(1)}): repeat it on an idle one`);
  process.exitCode = 1;
}

function median(rates: readonly number[]): number {
  const sorted = [...rates].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
