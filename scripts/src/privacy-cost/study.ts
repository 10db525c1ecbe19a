import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Contribution, weightedMean } from '@consilium/averaging';
import {
  decodePretrained,
  type LesionTask,
  networkLayout,
  type OptimizerState,
  type PatientMetrics,
  pretrainedFile,
  trainableTensors,
} from '@consilium/model';
import {
  type CohortSource,
  type PrivacyPlan,
  policyFor,
  privateTraining,
  type Trainer,
} from '@consilium/node';
import type { PrivatePolicy } from '@consilium/records';
import {
  fromGrid,
  type Layout,
  putPart,
  quantize,
  splitLayout,
  takePart,
  toGrid,
} from '@consilium/weights';

/** One hospital of the measured study: its patients, and the process that trains for it. */
export interface Hospital {
  readonly name: string;
  readonly train: Extract<CohortSource, { kind: 'phantom' }>;
  readonly trainer: Trainer;
}

/** How one study is run. */
export interface StudyInit {
  readonly task: LesionTask;
  /** Null trains everything without privacy. */
  readonly privacy: PrivacyPlan | null;
  /** What is trained under privacy. */
  readonly parts: readonly string[];
  readonly rounds: number;
  readonly hospitals: readonly Hospital[];
  readonly external: CohortSource;
  /** Seed of the public draws: slices and augmentation. Noise and patients are always drawn by the operating system. */
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onRound: () => void;
}

/** What came of a study. */
export interface StudyResult {
  readonly policy: PrivatePolicy | null;
  /** Figures of each external patient, in the cohort's order. */
  readonly patients: readonly PatientMetrics[];
}

const gridExponent = -20;
const payloadBits = 16;

interface SiteState {
  readonly local: Float32Array;
  readonly optimizer: OptimizerState | null;
  readonly residual: Float32Array | null;
}

/**
 * A whole study as the nodes run it, without the network between them: the same training processes, payloads and mean on integers, from the weights that
 * come with the task's network, and a reading of the external cohort at the end.
 */
export async function runStudy(init: StudyInit): Promise<StudyResult> {
  const { task, rounds, hospitals, external, signal, onRound } = init;
  const layout = networkLayout(task.network);
  const { shared, local } = splitLayout(layout);
  const policy = policyOf(init);
  const start = takePart(layout, shared, await startOf(task));
  let grid = Int32Array.from(start, (value) => value * 2 ** -gridExponent);
  let states = hospitals.map(
    (): SiteState => ({ local: new Float32Array(local.length), optimizer: null, residual: null }),
  );
  for (let round = 1; round <= rounds; round++) {
    const turns = await Promise.all(
      hospitals.map((hospital, i) =>
        takeTurn(init, policy, hospital, states[i] as SiteState, layout, grid, round),
      ),
    );
    const mean = weightedMean(turns.map(({ contribution }) => contribution));
    grid = grid.map((value, i) => value + (mean[i] as number));
    states = turns.map(({ state }) => state);
    onRound();
  }
  const weights = new Float32Array(layout.length);
  putPart(layout, shared, weights, fromGrid(grid, gridExponent));
  const [first] = hospitals as readonly [Hospital];
  const { patients } = await first.trainer.evaluate(
    { task, weights, cohort: external, perPatient: true },
    { signal },
  );
  return { policy, patients };
}

/** Reads the external cohort with the weights that every study starts from. */
export function readStart(init: Omit<StudyInit, 'rounds' | 'privacy'>): Promise<StudyResult> {
  return runStudy({ ...init, privacy: null, rounds: 0 });
}

async function takeTurn(
  { task, seed, signal }: StudyInit,
  policy: PrivatePolicy | null,
  { name, train, trainer }: Hospital,
  before: SiteState,
  layout: Layout,
  grid: Int32Array,
  round: number,
): Promise<{ contribution: Contribution; state: SiteState }> {
  const { shared, local } = splitLayout(layout);
  const weights = new Float32Array(layout.length);
  putPart(layout, shared, weights, fromGrid(grid, gridExponent));
  putPart(layout, local, weights, before.local);
  const trained = await trainer.train(
    {
      task,
      weights,
      optimizerState: before.optimizer,
      steps: task.training.stepsPerRound,
      seed: 100_000 * seed + 1000 * round + name.length,
      cohort: train,
      privacy: policy === null ? null : privateTraining(policy, train.patients),
    },
    { signal },
  );
  const base = takePart(layout, shared, weights);
  const change = takePart(layout, shared, trained.weights).map(
    (value, i) => value - (base[i] as number),
  );
  const { update, residual } = quantize(shared, change, {
    bits: payloadBits,
    gridExponent,
    random: randomBytes,
    ...(before.residual === null ? {} : { residual: before.residual }),
  });
  return {
    contribution: { weight: train.patients, update: toGrid(update, gridExponent) },
    state: {
      local: takePart(layout, local, trained.weights),
      optimizer: trained.optimizerState,
      residual,
    },
  };
}

function policyOf({ task, privacy, parts, rounds, hospitals }: StudyInit): PrivatePolicy | null {
  if (privacy === null || rounds === 0) return null;
  return policyFor(privacy, {
    cohorts: hospitals.map(({ train }) => train.patients),
    rounds,
    stepsPerRound: task.training.stepsPerRound,
    trainable: trainableTensors(task.network, parts),
  });
}

async function startOf({ network }: LesionTask): Promise<Float32Array> {
  const file = pretrainedFile(network);
  if (file === null) throw new RangeError('there are no pre-trained weights for this network');
  return decodePretrained(network, await readFile(file));
}
