// What privacy costs in quality: the demonstration's study on generated patients, from pre-trained weights, without privacy and at several ε.
//   npm run bench:privacy [-- --seeds 3 --rounds 20 --epsilons 8,3,1 --external 40 --name privacy]
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type PatientMetrics, privateTask, seeded, smallTask } from '@consilium/model';
import { createTrainer } from '@consilium/node';
import { readStart, runStudy, type StudyInit, type StudyResult } from './privacy-cost/study.ts';
import { openCache } from './quality/cache.ts';
import { createProgress } from './quality/progress.ts';

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '20' },
    epsilons: { type: 'string', default: '8,3,1' },
    external: { type: 'string', default: '40' },
    name: { type: 'string', default: 'privacy' },
  },
});
const seeds = Number(options.seeds);
const rounds = Number(options.rounds);
const epsilons = options.epsilons.split(',').map(Number);
/** At this ε, so much of the quality without privacy may be lost on the external site. */
const target = { epsilon: 8, relativeLoss: 0.032 };

/** Cohorts as in a mid-size hospital. */
const cohorts = { 'hospital-a': 320, 'hospital-b': 240, 'hospital-c': 200 } as const;
const size = [96, 96, 16] as const;
const shown = [
  ['dice', 'lesion Dice'],
  ['diceInLung', 'in the lung'],
  ['sensitivityLenient', 'sensitivity, lenient'],
  ['sensitivityStrict', 'sensitivity, strict'],
  ['burdenError', 'burden error'],
] as const satisfies readonly (readonly [keyof PatientMetrics, string])[];
type Shown = (typeof shown)[number][0];

/** One way to run the study, over all seeds. */
interface Arm {
  readonly name: string;
  readonly epsilon: number | null;
  readonly results: readonly StudyResult[];
}

const external = {
  kind: 'phantom',
  profile: 'external',
  patients: Number(options.external),
  seed: 90_001,
  size,
} as const;
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort(new Error('stopped; the same command goes on')));
const trainers = Object.keys(cohorts).map(() =>
  createTrainer({ compute: { threads: 1 }, cacheBytes: 1024 * 2 ** 20 }),
);
const progress = createProgress(seeds * rounds * (1 + epsilons.length), 0);
const cache = openCache(join('results', 'cache', options.name));

try {
  const arms: Arm[] = [];
  for (const epsilon of ['start', null, ...epsilons] as const) {
    const results: StudyResult[] = [];
    for (let seed = 1; seed <= seeds; seed++) results.push(await cached(epsilon, seed));
    const name =
      epsilon === 'start' ? 'pre-trained only' : epsilon === null ? 'off' : `ε = ${epsilon}`;
    arms.push({ name, epsilon: typeof epsilon === 'number' ? epsilon : null, results });
  }
  progress.stop();
  await report(arms);
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
  console.error('stopped; the same command goes on from here');
  process.exitCode = 130;
} finally {
  progress.stop();
  await Promise.all(trainers.map((trainer) => trainer.stop()));
}

async function cached(epsilon: number | null | 'start', seed: number): Promise<StudyResult> {
  const task = epsilon === null ? smallTask : privateTask(smallTask);
  const decaySteps = rounds * task.training.stepsPerRound;
  const init: StudyInit = {
    task: { ...task, training: { ...task.training, decaySteps } },
    privacy:
      typeof epsilon === 'number'
        ? {
            profile: epsilon <= 3 ? 'strict' : epsilon <= 8 ? 'balanced' : 'reconstruction-guard',
            epsilon,
            expectedBatch: 16,
            clipNorm: 0.1,
            slicesPerPatient: 4,
          }
        : null,
    parts: ['norms'],
    rounds,
    hospitals: Object.entries(cohorts).map(([name, patients], i) => ({
      name,
      train: { kind: 'phantom', profile: name, patients, seed: 50_000 + 100 * seed + i, size },
      trainer: trainers[i] as (typeof trainers)[number],
    })),
    external,
    seed,
    signal: interrupted.signal,
    onRound: () => progress.add(1),
  };
  const { hospitals, external: _, signal, onRound, ...configuration } = init;
  const key = `${epsilon ?? 'off'}-${seed}-${JSON.stringify(configuration).length}-${hashOf(configuration)}`;
  const known = await cache.load<StudyResult>(key);
  if (known !== undefined) {
    progress.add(rounds, true);
    return known;
  }
  const result = epsilon === 'start' ? await readStart(init) : await runStudy(init);
  await cache.store(key, result);
  return result;
}

async function report(arms: readonly Arm[]): Promise<void> {
  const off = arms.find(({ name }) => name === 'off') as Arm;
  const rows = arms.map((arm) => ({ arm, figures: figuresOf(arm) }));
  console.table(
    rows.map(({ arm, figures }) => ({
      profile: arm.name,
      σ: arm.results[0]?.policy?.noiseMultiplier ?? '',
      ...Object.fromEntries(shown.map(([metric, title]) => [title, text(figures[metric])])),
      'lost of off': arm === off ? '' : text(lossOf(arm, off)),
    })),
  );
  const judged = arms.find(({ epsilon }) => epsilon === target.epsilon);
  const lost = judged && lossOf(judged, off);
  const result = {
    machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length },
    commit: execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim(),
    seeds,
    rounds,
    cohorts,
    external: external.patients,
    arms: rows.map(({ arm, figures }) => ({
      name: arm.name,
      policy: arm.results[0]?.policy ?? null,
      figures,
      perSeedDice: arm.results.map(({ patients }) => meanOf(patients.map(({ dice }) => dice))),
      relativeLoss: arm === off ? null : lossOf(arm, off),
    })),
  };
  await mkdir('results', { recursive: true });
  await writeFile(`results/${options.name}.json`, `${JSON.stringify(result, null, 2)}\n`);
  if (lost === undefined) return;
  const isMet = lost.mean <= target.relativeLoss;
  console.log(
    `ε = ${target.epsilon} loses ${(100 * lost.mean).toFixed(1)} % of the lesion Dice on the external site (target: at most ${100 * target.relativeLoss} %): ${isMet ? 'met' : 'MISSED'}`,
  );
}

interface Estimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** For each external patient the mean over seeds; over patients the mean and its 95 % bootstrap interval. */
function figuresOf(arm: Arm): Record<Shown, Estimate> {
  return Object.fromEntries(
    shown.map(([metric]) => {
      const values = overSeeds(arm, metric).filter((value) => value !== null);
      return [metric, bootstrap(values.length, (drawn) => meanAt(values, drawn))];
    }),
  ) as Record<Shown, Estimate>;
}

/** How much of the Dice without privacy an arm loses, relative, patient against the same patient. */
function lossOf(arm: Arm, off: Arm): Estimate {
  const ours = overSeeds(arm, 'dice');
  const pairs = overSeeds(off, 'dice').flatMap((value, i) => {
    const own = ours[i] ?? null;
    return value === null || own === null ? [] : [[own, value] as const];
  });
  const [own, theirs] = [pairs.map(([a]) => a), pairs.map(([, b]) => b)];
  return bootstrap(pairs.length, (drawn) => 1 - meanAt(own, drawn) / meanAt(theirs, drawn));
}

function overSeeds({ results }: Arm, metric: Shown): (number | null)[] {
  const [first] = results as [StudyResult];
  return first.patients.map((_, patient) =>
    meanOf(results.map(({ patients }) => patients[patient]?.[metric] ?? null)),
  );
}

/** The statistic of all patients, and the middle 95 % of 2,000 resamplings of patients. */
function bootstrap(count: number, statistic: (drawn: readonly number[]) => number): Estimate {
  const random = seeded('bootstrap', count);
  const draws = Array.from({ length: 2000 }, () =>
    statistic(Array.from({ length: count }, () => random.below(count))),
  ).sort((a, b) => a - b);
  return {
    mean: statistic(Array.from({ length: count }, (_, i) => i)),
    low: draws[49] as number,
    high: draws[1949] as number,
  };
}

function meanAt(values: readonly number[], drawn: readonly number[]): number {
  return drawn.reduce((sum, i) => sum + (values[i] as number), 0) / drawn.length;
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

function text({ mean, low, high }: Estimate): string {
  return `${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}

function hashOf(value: unknown): string {
  return seeded(JSON.stringify(value)).uint32().toString(16);
}
