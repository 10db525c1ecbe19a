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
  const whole = new RunningMean(length);
  yield { round: 0, part: null, weights: walk.initial, saturated: 0 };
  const rounds = Map.groupBy(walk.updates, ({ round }) => round);
  for (const [round, updates] of [...rounds].sort(([a], [b]) => a - b)) {
    const parts = walk.partsOf(round).map((part) => ({ ...part, mean: new RunningMean(length) }));
    whole.clear();
    for (const update of updates) {
      const grid = await walk.gridOf(update);
      if (grid === null) continue;
      const contribution = { weight: update.weight, update: grid };
      whole.add(contribution);
      for (const part of parts) if (part.updates.has(update)) part.mean.add(contribution);
    }
    for (const { key, mean } of parts) {
      const sum = total.slice();
      if (!mean.isEmpty) mean.addTo(sum);
      const saturated = hold(sum, weights);
      yield { round, part: key, weights, saturated };
    }
    if (!whole.isEmpty) whole.addTo(total);
    const saturated = hold(total, weights);
    yield { round, part: null, weights, saturated };
  }
}

const largest = 0x7fffffff;

/** Puts a sum into `weights`, each value held to 32 bits of the grid; how many had to be. */
function hold(sum: Float64Array, weights: Int32Array): number {
  // Almost always nothing has to be held, and whole arrays are copied three times faster than value by value.
  if (isWithin(sum)) {
    weights.set(sum);
    return 0;
  }
  let saturated = 0;
  for (const [i, value] of sum.entries()) {
    if (Math.abs(value) > largest) saturated++;
    weights[i] = Math.max(-largest, Math.min(largest, value));
  }
  return saturated;
}

function isWithin(sum: Float64Array): boolean {
  let least = 0;
  let most = 0;
  for (let i = 0; i < sum.length; i++) {
    const value = sum[i] as number;
    if (value > most) most = value;
    if (value < least) least = value;
  }
  return most <= largest && least >= -largest;
}
