// The compute package against PyTorch (Debian's python3-torch): training steps, private steps, 3-D convolutions and reading whole scans, each
// contestant in a process of its own, in turns, on equally many threads. Times, processor time, peak memory, and the share of the machine's
// matrix-product speed that is reached; exits with 1 when a bar is missed.
//   npm run bench:compute -- [--cases train,private,conv3d,read] [--threads 1,2] [--rounds 7] [--seed 1] [--quick] [--plot] [--json] [--no-bars]
import { mkdir, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { checkAgreement } from './bench-compute/agreement.ts';
import { allCases, type BenchCase, chooseCases, quickCases } from './bench-compute/cases.ts';
import {
  type Contestant,
  type ContestantKind,
  hasTorch,
  startContestant,
} from './bench-compute/contestant.ts';
import { type CaseFigures, figuresOf } from './bench-compute/figures.ts';
import { measurePeak, type Peak } from './bench-compute/peak.ts';
import { plotRatios } from './bench-compute/plot.ts';
import { createProgress } from './bench-compute/progress.ts';
import { type Provenance, provenance } from './bench-compute/provenance.ts';
import { type Lap, race, scheduleOf } from './bench-compute/race.ts';
import { tableOf } from './bench-compute/table.ts';

const { values: options } = parseArgs({
  allowNegative: true,
  options: {
    cases: { type: 'string' },
    threads: { type: 'string', default: '1,2' },
    rounds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    quick: { type: 'boolean', default: false },
    plot: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    bars: { type: 'boolean', default: true },
  },
});
const rounds = Number(options.rounds ?? (options.quick ? 2 : 7));
const seed = Number(options.seed);
const cases = chooseCases(options.quick ? quickCases() : allCases(), options.cases?.split(','));
const threadCounts = options.threads.split(',').map(Number);
const torchIsHere = hasTorch();
if (!torchIsHere) {
  console.error('PyTorch is missing here (apt install python3-torch): no ratios, no bars');
}

const origin = provenance();
const progress = createProgress(plannedWork());
const peaks: (Peak & { threads: number })[] = [];
const results: CaseFigures[] = [];
for (const threads of threadCounts) {
  const peak = await measurePeak(torchIsHere ? ['onnx-cpu', 'torch'] : ['onnx-cpu'], threads, seed);
  peaks.push({ threads, ...peak });
  for (const benchCase of cases) {
    const laps = await raceIn(benchCase, threads);
    const result = figuresOf(benchCase, threads, laps, peak.gflopPerSecond);
    results.push(result);
    progress.say(lineOf(result));
    await write(origin); // Each time, so that a run that is ended early leaves what it has.
  }
}
if (options.json) console.log(JSON.stringify(resultOf(origin), null, 2));
else show(origin);
if (options.bars && !options.quick && results.some(({ missed }) => missed.length > 0)) {
  process.exitCode = 1;
}

/** Ours first. TensorFlow.js computes on one thread, and slowly: it takes part where that does not take long. */
function contestantsOf({ isSmall }: BenchCase, threads: number): ContestantKind[] {
  return [
    'onnx-cpu',
    ...(torchIsHere ? (['torch'] as const) : []),
    ...(isSmall && threads === 1 ? (['tfjs-wasm'] as const) : []),
  ];
}

async function raceIn(benchCase: BenchCase, threads: number): Promise<Lap[]> {
  const { id, graph, work, flops } = benchCase;
  const contestants: Contestant[] = [];
  try {
    for (const kind of contestantsOf(benchCase, threads)) {
      contestants.push(await startContestant(kind, { graph, work, threads, seed }));
    }
    checkAgreement(contestants);
    const where = `${id}, ${inThreads(threads)}`;
    return await race(contestants, scheduleOf(benchCase, rounds), (runs) =>
      progress.add((runs * flops) / threads, where),
    );
  } finally {
    await Promise.all(contestants.map((contestant) => contestant.close()));
  }
}

/** In floating-point operations by threads, which is roughly proportional to time. */
function plannedWork(): number {
  let work = 0;
  for (const threads of threadCounts) {
    for (const benchCase of cases) {
      const { rounds: turns, runsPerTurn } = scheduleOf(benchCase, rounds);
      const runs = (turns * runsPerTurn + 1) * contestantsOf(benchCase, threads).length;
      work += (runs * benchCase.flops) / threads;
    }
  }
  return work;
}

async function write(origin: Provenance): Promise<void> {
  await mkdir('results', { recursive: true });
  await writeFile('results/compute.json', `${JSON.stringify(resultOf(origin), null, 2)}\n`);
  if (options.plot) await writeFile('packages/docs/pictures/compute.svg', plotOf(origin));
}

function resultOf(origin: Provenance): unknown {
  const names = results.flatMap(({ figures }) => figures.map(({ name }) => name));
  const { quick } = options;
  return { ...origin, contestants: [...new Set(names)], seed, rounds, quick, peaks, results };
}

function show({ machine }: Provenance): void {
  console.table(tableOf(results));
  for (const { threads, by } of peaks) {
    const rates = Object.entries(by).map(([kind, rate]) => `${kind} ${rate.toFixed(0)}`);
    console.log(`fastest matrix product on ${inThreads(threads)}, GFLOP/s: ${rates.join(', ')}`);
  }
  console.log(
    'ratios: ours ÷ PyTorch, below 1 we are better; several figures in a cell: ours / PyTorch / others',
  );
  for (const { title, threads, missed } of results) {
    for (const bar of missed) console.log(`missed: ${title}, ${inThreads(threads)}: ${bar}`);
  }
  const [load = 0] = loadavg();
  if (machine.load > 0.5 || load > machine.cores + 1) {
    console.log(
      `others were at work here (load ${machine.load.toFixed(1)} at the start, ${load.toFixed(1)} now): repeat it on an idle machine`,
    );
  }
}

function plotOf({ machine, commit }: Provenance): string {
  const bars = results.flatMap(({ title, threads, ratios, bars: { wall: limit } }) =>
    ratios
      .filter(({ peer }) => peer === 'torch')
      .map(({ wall }) => ({ label: `${title}, ${threads} thr.`, ratio: wall, limit })),
  );
  const peer = results[0]?.figures.find(({ contestant }) => contestant === 'torch')?.name;
  return plotRatios(
    `Time of this package ÷ time of ${peer}: shorter is better`,
    `${machine.cores} cores of ${machine.cpu}, commit ${commit.slice(0, 7)}; dashed: the bar that is promised`,
    bars,
  );
}

function lineOf({ title, threads, figures, ratios }: CaseFigures): string {
  const times = figures.map(({ name, medianMs }) => `${name} ${medianMs.toFixed(0)} ms`);
  const parts = ratios.map(({ peer, wall }) => `${wall.toFixed(2)} of ${peer}`);
  return `${title}, ${inThreads(threads)}: ${[...times, ...parts].join(', ')}`;
}

function inThreads(threads: number): string {
  return `${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}
