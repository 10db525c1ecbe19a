// What learning together is worth on real slices: each hospital alone, their ensemble, pooled and together, on patients nobody trained on and on
// hospitals left out. Equal numbers of sequential steps for every method; `together` goes through integers, payloads and the exact mean as the nodes do.
//   npm run bench:quality -- --data <folder> [--seeds 1] [--steps 1000] [--local-steps 20] [--set training.learningRate=0.002] [--fresh]
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openPngCohort } from '@consilium/imaging';
import { defaultTask, type LesionTask, parseTask } from '@consilium/model';
import type { EvaluateResult } from '@consilium/node';
import { openCache } from './quality/cache.ts';
import { meanOf } from './quality/drift.ts';
import { cohortFolder, cohortOf, hospitals, internalTest } from './quality/hospitals.ts';
import { type Learned, type Learner, learn, stepsOf } from './quality/learner.ts';
import { makePlan, type Reading } from './quality/plan.ts';
import { createPool } from './quality/pool.ts';
import { createProgress } from './quality/progress.ts';
import { checkBars, printTable, printTables, rowOf, summariseRow } from './quality/report.ts';

/** What reading one slice in one of four views costs, in training steps. */
const stepsPerSlice = 0.15;

const stop = new AbortController();
process.once('SIGINT', () => stop.abort(new Error('interrupted')));
process.once('SIGTERM', () => stop.abort(new Error('interrupted')));

try {
  await main();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`\nerror: ${message}`);
  console.error(
    stop.signal.aborted
      ? 'hint: the same command goes on where this one stopped'
      : 'hint: npm run bench:quality -- --data <folder that holds covid19-ct-seg-20-png>',
  );
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const options = readOptions();
  const folder = resolve(options.data, cohortFolder);
  const index = await openPngCohort(folder);
  const configuration = {
    version: 1,
    task: options.task,
    steps: options.steps,
    hospitals,
    internalTest,
  };
  const key = createHash('sha256').update(JSON.stringify(configuration)).digest('hex').slice(0, 12);
  const cacheFolder = join('results', 'quality-cache', key);
  if (options.fresh) {
    await rm(cacheFolder, { recursive: true, force: true });
  }
  const cache = openCache(cacheFolder);
  const plan = makePlan();
  const seeds = Array.from({ length: options.seeds }, (_, i) => i + 1);
  const slicesOf = (reading: Reading): number =>
    reading.test.patients.reduce((sum, patient) => sum + (index.get(patient)?.length ?? 0), 0);
  const readingCost = (reading: Reading): number =>
    slicesOf(reading) * reading.learners.length * 4 * stepsPerSlice;
  const total =
    seeds.length *
    (sum(plan.learners.map((learner) => stepsOf(learner, options.steps))) +
      sum(plan.readings.map(readingCost)));
  console.log(
    `${plan.learners.length} models of ${options.steps} steps and ${plan.readings.length} readings for each of ${seeds.length} seeds; kept in ${cacheFolder}`,
  );
  const started = performance.now();
  const progress = createProgress(total, seeds.length * plan.readings.length);
  const pool = createPool(2);

  const oneSeed = async (seed: number): Promise<SeedRun> => {
    const learning = new Map(
      plan.learners.map((learner) => [
        learner,
        learn(learner, pool, cache, {
          task: options.task,
          folder,
          seed,
          steps: options.steps,
          signal: stop.signal,
          onSteps: (steps, cached) => progress.add(steps, cached),
        }),
      ]),
    );
    const read = async (reading: Reading): Promise<EvaluateResult> => {
      const learned = await Promise.all(
        reading.learners.map((learner) => learning.get(learner) as Promise<Learned>),
      );
      const unit = `seed${seed}/read/${reading.test.name}/${reading.method}`;
      const kept = await cache.load<EvaluateResult>(unit);
      const result =
        kept ??
        (await pool.run(0, (trainer) =>
          trainer.evaluate(
            {
              task: options.task,
              weights: learned.map(({ weights }) => weights),
              cohort: cohortOf(folder, reading.test.patients),
              perPatient: true,
              mirrored: true,
            },
            { signal: stop.signal },
          ),
        ));
      await cache.store(unit, result);
      progress.add(readingCost(reading), kept !== undefined);
      progress.count();
      return result;
    };
    const results = new Map(
      await Promise.all(
        plan.readings.map(async (reading) => [reading, await read(reading)] as const),
      ),
    );
    const learned = new Map(
      await Promise.all(
        [...learning].map(async ([learner, result]) => [learner, await result] as const),
      ),
    );
    return { results, learned };
  };

  try {
    const runs: SeedRun[] = [];
    for (const seed of seeds) {
      runs.push(await oneSeed(seed));
    }
    progress.stop();
    const rows = plan.readings.map((reading) =>
      summariseRow(
        rowOf(
          reading,
          runs.map(({ results }) => results.get(reading) as EvaluateResult),
        ),
      ),
    );
    const drift = plan.learners
      .filter(({ method }) => method === 'together')
      .map((learner) => ({
        learner: learner.name,
        rounds: runs.map(({ learned }) => learned.get(learner)?.drift ?? []),
      }));
    printTables(rows);
    printDrift(drift);
    const bars = checkBars(rows);
    console.log('');
    for (const bar of bars) {
      console.log(`${bar.pass ? 'PASS' : 'MISS'}  ${bar.name}: ${bar.figures}`);
    }
    const minutes = (performance.now() - started) / 60_000;
    console.log(`\n${minutes.toFixed(1)} minutes in this run`);
    await mkdir('results', { recursive: true });
    const result = {
      machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length },
      commit: commit(),
      seeds,
      minutes,
      configuration,
      rows,
      drift,
      bars,
    };
    await writeFile('results/bench-quality.json', `${JSON.stringify(result, null, 2)}\n`);
    process.exitCode = bars.every(({ pass }) => pass) ? 0 : 2;
  } finally {
    progress.stop();
    await pool.stop();
  }
}

interface SeedRun {
  readonly results: ReadonlyMap<Reading, EvaluateResult>;
  readonly learned: ReadonlyMap<Learner, Learned>;
}

interface Options {
  readonly data: string;
  readonly seeds: number;
  readonly steps: number;
  readonly task: LesionTask;
  readonly fresh: boolean;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      seeds: { type: 'string', default: '1' },
      steps: { type: 'string', default: '1000' },
      'local-steps': { type: 'string', default: '20' },
      set: { type: 'string', multiple: true, default: [] },
      fresh: { type: 'boolean', default: false },
    },
  });
  if (values.data === undefined) {
    throw new Error('--data is missing');
  }
  const steps = positive('--steps', values.steps);
  const plain = structuredClone(defaultTask) as unknown as Record<string, unknown>;
  setAt(plain, 'training.decaySteps', steps);
  setAt(plain, 'training.stepsPerRound', positive('--local-steps', values['local-steps']));
  for (const setting of values.set) {
    const [path = '', text = ''] = setting.split('=');
    setAt(plain, path, JSON.parse(text));
  }
  return {
    data: values.data,
    seeds: positive('--seeds', values.seeds),
    steps,
    task: parseTask(plain),
    fresh: values.fresh,
  };
}

function setAt(plain: Record<string, unknown>, path: string, value: unknown): void {
  const [first = '', ...rest] = path.split('.');
  if (rest.length === 0) {
    plain[first] = value;
    return;
  }
  const inner = plain[first];
  if (typeof inner !== 'object' || inner === null) {
    throw new Error(`--set: there is no ${first} in the task`);
  }
  setAt(inner as Record<string, unknown>, rest.join('.'), value);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`${name} must be a positive whole number, got ${text}`);
  }
  return value;
}

/** Members that agree give cosines near 1 and an average as long as its parts; members that pull apart cancel each other. */
function printDrift(
  drift: readonly { learner: string; rounds: readonly Learned['drift'][] }[],
): void {
  console.log(
    '\nDrift: agreement of the members’ updates in the first, middle and last third of the rounds',
  );
  printTable(
    drift.map(({ learner, rounds }) => {
      const third = (k: number): Learned['drift'] =>
        rounds.flatMap((each) =>
          each.slice(Math.floor((k * each.length) / 3), Math.ceil(((k + 1) * each.length) / 3)),
        );
      const shown = (name: 'cosine' | 'kept'): string =>
        [0, 1, 2].map((k) => meanOf(third(k).map((seen) => seen[name])).toFixed(2)).join('  ');
      return { model: learner, cosine: shown('cosine'), 'mean ÷ norm': shown('kept') };
    }),
  );
}

function commit(): string {
  return execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
