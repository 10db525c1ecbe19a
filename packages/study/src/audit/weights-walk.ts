import { RunningMean } from '@consilium/averaging';
import type { AcceptedUpdate } from '../decide.ts';

/** Some of the updates of one round. */
export interface RoundPart {
  /** Names it among the parts of its round. */
  readonly key: string;
  readonly updates: ReadonlySet<AcceptedUpdate>;
}

/** The weights after all rounds before `round` and those of its updates that are in `part`; null stands for all of them. */
export interface WalkedState {
  readonly round: number;
  readonly part: string | null;
  /** Good until the walk goes on. */
  readonly weights: Int32Array;
  /** Weights that were held at 32 bits. */
  readonly saturated: number;
}

export interface WeightsWalk {
  /** x₀ on the study's grid. */
  readonly initial: Int32Array;
  /** Every update that counts by its record. */
  readonly updates: readonly AcceptedUpdate[];
  /** An update on the study's grid, or null for one that does not count. Called once for each, round by round. */
  gridOf(update: AcceptedUpdate): Promise<Int32Array | null>;
  /** The parts of a round that are asked for. */
  partsOf(round: number): readonly RoundPart[];
}

/**
 * Goes through x = x₀ + Σ_r mean(updates of round r), round by round from 0, and stops at every state that is asked for: the parts of a round first, then all of it.
 *
 * Each update is looked at once and forgotten, so that it takes the memory of a few vectors, however many rounds and sites there are. The same integers as the fold's.
 */
export async function* walkWeights(walk: WeightsWalk): AsyncGenerator<WalkedState> {
  const length = walk.initial.length;
  const total = Float64Array.from(walk.initial);
  const weights = new Int32Array(length);
  yield { round: 0, part: null, weights: walk.initial, saturated: 0 };
  const rounds = Map.groupBy(walk.updates, ({ round }) => round);
  for (const [round, updates] of [...rounds].sort(([a], [b]) => a - b)) {
    const parts = walk.partsOf(round).map((part) => ({ ...part, mean: new PartMean(length) }));
    const whole = new PartMean(length);
    for (const update of updates) {
      const grid = await walk.gridOf(update);
      if (grid === null) continue;
      whole.add(update, grid);
      for (const part of parts) if (part.updates.has(update)) part.mean.add(update, grid);
    }
    for (const { key, mean } of parts) {
      const saturated = putSum(weights, total, mean.value());
      yield { round, part: key, weights, saturated };
    }
    addTo(total, whole.value());
    yield { round, part: null, weights, saturated: putSum(weights, total, null) };
  }
}

/** A mean that may turn out to be of nothing. */
class PartMean {
  readonly #mean: RunningMean;
  #isEmpty = true;

  constructor(length: number) {
    this.#mean = new RunningMean(length);
  }

  add({ weight }: AcceptedUpdate, update: Int32Array): void {
    this.#mean.add({ weight, update });
    this.#isEmpty = false;
  }

  value(): Int32Array | null {
    return this.#isEmpty ? null : this.#mean.value();
  }
}

function addTo(total: Float64Array, mean: Int32Array | null): void {
  if (mean === null) return;
  for (let i = 0; i < total.length; i++) total[i] = (total[i] as number) + (mean[i] as number);
}

const largest = 0x7fffffff;

/** Puts total + mean into `weights`, each held to 32 bits of the grid; how many had to be. */
function putSum(weights: Int32Array, total: Float64Array, mean: Int32Array | null): number {
  let saturated = 0;
  for (let i = 0; i < weights.length; i++) {
    const value = (total[i] as number) + (mean === null ? 0 : (mean[i] as number));
    if (value > largest || value < -largest) saturated++;
    weights[i] = Math.max(-largest, Math.min(largest, value));
  }
  return saturated;
}
