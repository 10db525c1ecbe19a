import { weightedMean } from '@consilium/averaging';
import {
  initialWeights,
  type LesionTask,
  networkLayout,
  type OptimizerState,
  seeded,
} from '@consilium/model';
import {
  decodePayload,
  encodePayload,
  fromGrid,
  putPart,
  quantize,
  splitLayout,
  takePart,
  toGrid,
} from '@consilium/weights';
import type { Cache } from './cache.ts';
import { type Drift, driftOf } from './drift.ts';
import { cohortOf, type Hospital } from './hospitals.ts';
import type { Pool } from './pool.ts';

const gridExponent = -20;
const payloadBits = 16;

/** One model that the benchmark trains. Members of `together` keep their patients to themselves; otherwise there is one member with all of them. */
export interface Learner {
  /** E.g. `alone/a`, `pooled/abc`, `together/abc`. */
  readonly name: string;
  readonly members: readonly Hospital[];
  readonly method: 'alone' | 'pooled' | 'together';
}

export interface LearnInit {
  readonly task: LesionTask;
  readonly folder: string;
  readonly seed: number;
  readonly steps: number;
  readonly signal: AbortSignal;
  readonly onSteps: (steps: number, cached: boolean) => void;
}

/** What one member carries from round to round. */
interface MemberState {
  readonly weights: Float32Array;
  readonly optimizer: OptimizerState | null;
  readonly residual: Float32Array | null;
}

interface LearnerState {
  readonly round: number;
  /** The shared weights on the study's grid; null where nothing is averaged. */
  readonly grid: Int32Array | null;
  readonly members: readonly MemberState[];
  readonly drift: readonly Drift[];
}

export interface Learned {
  /** The whole vector that others would use: shared weights, corrections at zero where they belong to a site. */
  readonly weights: Float32Array;
  readonly drift: readonly Drift[];
}

/** Steps that a learner takes in all; members of `together` take as many each. */
export function stepsOf({ method, members }: Learner, steps: number): number {
  return method === 'together' ? members.length * steps : steps;
}

/** Trains to the end, a round at a time, from where the cache has it. */
export async function learn(
  learner: Learner,
  pool: Pool,
  cache: Cache,
  init: LearnInit,
): Promise<Learned> {
  const { stepsPerRound } = init.task.training;
  const rounds = Math.ceil(init.steps / stepsPerRound);
  const unit = `seed${init.seed}/${learner.name}`;
  let state = (await cache.load<LearnerState>(unit)) ?? startOf(learner, init);
  init.onSteps(stepsOf(learner, Math.min(init.steps, state.round * stepsPerRound)), true);
  while (state.round < rounds) {
    const steps = Math.min(stepsPerRound, init.steps - state.round * stepsPerRound);
    state = await takeRound(learner, state, steps, pool, init);
    await cache.store(unit, state);
  }
  return { weights: weightsOf(state, init.task), drift: state.drift };
}

function startOf(learner: Learner, { task, seed }: LearnInit): LearnerState {
  const weights = initialWeights(task.network, seed);
  const layout = networkLayout(task.network);
  const count = learner.method === 'together' ? learner.members.length : 1;
  const shared = takePart(layout, splitLayout(layout).shared, weights);
  return {
    round: 0,
    grid:
      learner.method === 'together'
        ? Int32Array.from(shared, (w) => Math.round(w * 2 ** -gridExponent))
        : null,
    members: Array.from({ length: count }, () => ({ weights, optimizer: null, residual: null })),
    drift: [],
  };
}

async function takeRound(
  learner: Learner,
  state: LearnerState,
  steps: number,
  pool: Pool,
  init: LearnInit,
): Promise<LearnerState> {
  const { task, seed, signal } = init;
  const left = init.steps - state.round * task.training.stepsPerRound;
  const groups = state.grid === null ? [learner.members] : learner.members.map((each) => [each]);
  const trained = await Promise.all(
    groups.map((group, i) =>
      pool.run(left * groups.length, async (trainer) => {
        let told = 0;
        const member = state.members[i] as MemberState;
        const result = await trainer.train(
          {
            task,
            weights: member.weights,
            optimizerState: member.optimizer,
            steps,
            seed: seeded(learner.name, seed, i).uint32(),
            cohort: cohortOf(
              init.folder,
              group.flatMap(({ patients }) => patients),
            ),
            privacy: null,
          },
          {
            signal,
            onProgress: ({ done }) => {
              init.onSteps(done - told, false);
              told = done;
            },
          },
        );
        return { ...member, weights: result.weights, optimizer: result.optimizerState };
      }),
    ),
  );
  const round = state.round + 1;
  return state.grid === null
    ? { ...state, round, members: trained }
    : average(state.grid, trained, learner, { ...state, round }, init);
}

/**
 * One round as the nodes do it: each member's change of the shared weights is rounded to integers, written as a payload, read back, brought to the
 * study's grid, and averaged exactly; the state moves by the mean.
 */
function average(
  grid: Int32Array,
  trained: readonly MemberState[],
  learner: Learner,
  { round, drift }: LearnerState,
  { task, seed }: LearnInit,
): LearnerState {
  const layout = networkLayout(task.network);
  const { shared } = splitLayout(layout);
  const base = fromGrid(grid, gridExponent);
  const said = trained.map((member, i) => {
    const random = seeded('rounding', learner.name, seed, round, i);
    const change = takePart(layout, shared, member.weights).map(
      (w, at) => w - (base[at] as number),
    );
    const { update, residual } = quantize(shared, change, {
      bits: payloadBits,
      gridExponent,
      random: (count) => Uint8Array.from({ length: count }, () => random.uint32() & 255),
      ...(member.residual !== null && { residual: member.residual }),
    });
    return { update: toGrid(decodePayload(shared, encodePayload(update)), gridExponent), residual };
  });
  // The data's description takes several scans of c for one patient: three patients each, so equal weights.
  const mean = weightedMean(said.map(({ update }) => ({ weight: 3, update })));
  const moved = grid.map((value, at) => value + (mean[at] as number));
  const values = fromGrid(moved, gridExponent);
  const members = trained.map((member, i) => {
    const weights = member.weights.slice();
    putPart(layout, shared, weights, values);
    return { ...member, weights, residual: said[i]?.residual ?? null };
  });
  const seen = driftOf(
    said.map(({ update }) => update),
    mean,
  );
  return { round, grid: moved, members, drift: [...drift, seen] };
}

function weightsOf(state: LearnerState, task: LesionTask): Float32Array {
  if (state.grid === null) {
    return (state.members[0] as MemberState).weights;
  }
  const layout = networkLayout(task.network);
  const weights = new Float32Array(layout.length);
  putPart(layout, splitLayout(layout).shared, weights, fromGrid(state.grid, gridExponent));
  return weights;
}
