// Trains the built-in tasks' networks on generated patients, without privacy: what a private study begins from. No person's scan is in it, so it
// costs no budget. Writes packages/model/pretrained/<task>.conw, and what they are worth on scanners that they never saw to <task>.json.
// The same seed on the same machine gives the same files; an interrupted run goes on where it was.
//   npm run pretrain -- [--task small --task default] [--seed 1] [--patients 120] [--steps small=4000] [--steps default=2400] [--fresh]
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createOnnxEngine } from '@consilium/compute';
import { type ScannerName, scannerProfiles } from '@consilium/imaging/phantom';
import {
  createLesionModel,
  decodePretrained,
  defaultTask,
  type Estimate,
  encodePretrained,
  evaluatePatient,
  initialWeights,
  type LesionModel,
  type LesionTask,
  type MetricName,
  networkLayout,
  type OptimizerState,
  type PatientEvaluation,
  type PreparedPatient,
  parseTask,
  predict,
  preparePatient,
  pretrainedFile,
  smallTask,
  summarise,
  trainSteps,
} from '@consilium/model';
import { heldOutPatient, pretrainingPatient } from './pretrain/patients.ts';
import { type Cache, openCache } from './quality/cache.ts';
import { createProgress, type Progress } from './quality/progress.ts';
import { printTable } from './quality/report.ts';

type TaskName = 'small' | 'default';

const tasks: Readonly<Record<TaskName, LesionTask>> = { small: smallTask, default: defaultTask };
const heldOutProfiles = Object.keys(scannerProfiles) as ScannerName[];
const heldOutEach = 6;
/** An interrupted run loses at most so many steps. */
const stepsBetweenSaves = 50;
const largestFileBytes = 400 * 1024;
const figures = ['dice', 'diceInLung', 'lungDice', 'burdenError'] as const satisfies MetricName[];

const stop = new AbortController();
process.once('SIGINT', () => stop.abort(new Error('interrupted')));
process.once('SIGTERM', () => stop.abort(new Error('interrupted')));

try {
  await main();
} catch (error) {
  console.error(`\nerror: ${error instanceof Error ? error.message : String(error)}`);
  console.error(
    stop.signal.aborted
      ? 'hint: the same command goes on where this one stopped'
      : 'hint: npm run pretrain -- [--task small|default] [--seed N] [--patients N] [--steps TASK=N] [--fresh]',
  );
  process.exitCode = 1;
}

interface Options {
  readonly names: readonly TaskName[];
  readonly seed: number;
  readonly patients: number;
  readonly steps: Readonly<Record<TaskName, number>>;
  readonly fresh: boolean;
}

interface TrainingState {
  readonly weights: Float32Array;
  readonly optimizerState: OptimizerState | null;
}

async function main(): Promise<void> {
  const options = readOptions();
  for (const name of options.names) await pretrain(name, options);
}

async function pretrain(name: TaskName, { seed, patients, steps, fresh }: Options): Promise<void> {
  const task = taskOf(name, steps[name]);
  const configuration = { version: 1, task, seed, patients };
  const key = createHash('sha256').update(JSON.stringify(configuration)).digest('hex').slice(0, 12);
  const folder = join('results', 'pretrain-cache', `${name}-${key}`);
  if (fresh) await rm(folder, { recursive: true, force: true });
  console.log(`${name}: ${steps[name]} steps on ${patients} generated patients; kept in ${folder}`);
  const cache = openCache(folder);
  const engine = createOnnxEngine({ threads: 1 });
  const model = createLesionModel(engine, task);
  let progress: Progress | undefined;
  try {
    const begun = await cache.load<TrainingState>('state');
    const isTrained = begun?.optimizerState?.steps === steps[name];
    const cohort = isTrained ? [] : await makePatients(patients, seed, task);
    progress = createProgress(steps[name], heldOutProfiles.length);
    const run = { begun, steps: steps[name], seed, cache, progress };
    const trained = await train(model, cohort, run);
    const bytes = encodePretrained(task.network, trained);
    // Judged as it will be used: after the rounding to 16 bits.
    const stored = decodePretrained(task.network, bytes);
    const starts = { pretrained: stored, random: initialWeights(task.network, seed) };
    const quality = await evaluate(model, starts, seed, progress);
    progress.stop();
    await store(name, bytes, { ...describe(task), seed, patients, steps: steps[name], quality });
    print(name, bytes, quality);
  } finally {
    progress?.stop();
    await engine.close();
  }
}

/** The task as it comes, but for a learning rate that falls over the steps taken here. */
function taskOf(name: TaskName, steps: number): LesionTask {
  const task = tasks[name];
  return parseTask({ ...task, training: { ...task.training, decaySteps: steps } });
}

async function makePatients(
  count: number,
  seed: number,
  task: LesionTask,
): Promise<PreparedPatient[]> {
  const prepared: PreparedPatient[] = [];
  for (let index = 0; index < count; index++) {
    // Ctrl-C is heard between two patients.
    await new Promise((resolve) => setImmediate(resolve));
    stop.signal.throwIfAborted();
    prepared.push(preparePatient(pretrainingPatient(seed, index), task));
    if (prepared.length % 20 === 0) console.error(`${prepared.length}/${count} patients made`);
  }
  return prepared;
}

async function train(
  model: LesionModel,
  cohort: readonly PreparedPatient[],
  run: {
    begun: TrainingState | undefined;
    steps: number;
    seed: number;
    cache: Cache;
    progress: Progress;
  },
): Promise<Float32Array> {
  const { begun, steps, seed, cache, progress } = run;
  let state: TrainingState = begun ?? {
    weights: initialWeights(model.task.network, seed),
    optimizerState: null,
  };
  progress.add(state.optimizerState?.steps ?? 0, true);
  for (;;) {
    const done = state.optimizerState?.steps ?? 0;
    if (done >= steps) return state.weights;
    await new Promise((resolve) => setImmediate(resolve));
    const next = Math.min(stepsBetweenSaves, steps - done);
    state = await trainSteps(
      { model, cohort, ...state, steps: next, seed },
      { signal: stop.signal, onProgress: () => progress.add(1) },
    );
    await cache.store('state', state);
  }
}

/** By scanner, then by weights, then by figure. */
type Quality = Record<string, Record<string, Record<string, Estimate>>>;

/** The figures of each vector of weights on each held-out scanner, with the 95 % bootstrap interval by patient. */
async function evaluate(
  model: LesionModel,
  starts: Readonly<Record<string, Float32Array>>,
  seed: number,
  progress: Progress,
): Promise<Quality> {
  const quality: Quality = {};
  for (const profile of heldOutProfiles) {
    const patients = Array.from({ length: heldOutEach }, (_, index) =>
      heldOutPatient(profile, seed, index),
    );
    quality[profile] = {};
    for (const [name, weights] of Object.entries(starts)) {
      const evaluations: PatientEvaluation[] = [];
      for (const patient of patients) {
        const prediction = await predict(model, weights, patient.scan, { signal: stop.signal });
        evaluations.push(evaluatePatient(patient, prediction));
      }
      const { metrics } = summarise(evaluations, seed);
      quality[profile][name] = Object.fromEntries(
        figures.map((each) => [each, rounded(metrics[each])]),
      );
    }
    progress.count();
  }
  return quality;
}

function rounded({ patients, ...figure }: Estimate): Estimate {
  const digits = (value: number | null): number | null => value && Math.round(value * 1e4) / 1e4;
  return {
    patients,
    mean: digits(figure.mean),
    low: digits(figure.low),
    high: digits(figure.high),
  };
}

function describe(task: LesionTask): Record<string, unknown> {
  const digest = createHash('sha256').update(JSON.stringify(task)).digest('hex');
  return {
    taskDigest: digest,
    layoutDigest: networkLayout(task.network).digest,
    network: task.network,
    input: task.input,
    data: 'generated patients, each with a scanner of its own (scripts/src/pretrain); no person’s scan',
    commit: execFileSync('git', ['describe', '--always', '--dirty', '--abbrev=40'], {
      encoding: 'utf8',
    }).trim(),
    machine: { cpu: cpus()[0]?.model ?? 'unknown' },
  };
}

async function store(
  name: TaskName,
  bytes: Uint8Array,
  sidecar: Record<string, unknown>,
): Promise<void> {
  if (bytes.length > largestFileBytes) {
    throw new RangeError(`${bytes.length} bytes of weights, at most ${largestFileBytes}`);
  }
  const url = pretrainedFile(tasks[name].network);
  if (url === null) throw new RangeError(`there is no place for weights of task ${name}`);
  const file = fileURLToPath(url);
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, bytes);
  const digest = createHash('sha256').update(bytes).digest('hex');
  const text = JSON.stringify({ task: name, digest, ...sidecar }, null, 2)
    // Short lists on one line, as the formatter wants them.
    .replace(/\[\s+([\d,\s.-]+?)\s+\]/g, (_, list: string) => `[${list.replace(/\s+/g, ' ')}]`);
  await writeFile(file.replace(/\.conw$/, '.json'), `${text}\n`);
}

function print(name: TaskName, bytes: Uint8Array, quality: Quality): void {
  console.log(
    `\n${name}: ${(bytes.length / 1024).toFixed(0)} KiB; on ${heldOutEach} patients a scanner`,
  );
  printTable(
    Object.entries(quality).flatMap(([scanner, starts]) =>
      Object.entries(starts).map(([weights, metrics]) => ({
        scanner,
        weights,
        ...Object.fromEntries(figures.map((each) => [each, shown(metrics[each])])),
      })),
    ),
  );
}

function shown(figure: Estimate | undefined): string {
  const digits = (value: number | null | undefined): string => value?.toFixed(2) ?? '-';
  return `${digits(figure?.mean)} [${digits(figure?.low)}, ${digits(figure?.high)}]`;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      task: { type: 'string', multiple: true, default: ['small', 'default'] },
      seed: { type: 'string', default: '1' },
      patients: { type: 'string', default: '120' },
      steps: { type: 'string', multiple: true, default: [] },
      fresh: { type: 'boolean', default: false },
    },
  });
  const steps = { small: 4000, default: 2400 };
  for (const setting of values.steps) {
    const [name = '', count = ''] = setting.split('=');
    steps[taskName(name)] = positive('--steps', count);
  }
  return {
    names: values.task.map(taskName),
    seed: positive('--seed', values.seed),
    patients: positive('--patients', values.patients),
    steps,
    fresh: values.fresh,
  };
}

function taskName(text: string): TaskName {
  if (text === 'small' || text === 'default') return text;
  throw new Error(`there is no task ${text}, only small and default`);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${name} must be a positive whole number, got ${text}`);
}
