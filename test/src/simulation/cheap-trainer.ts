import { type CohortMetrics, ModelError, type Seeded, seeded } from '@consilium/model';
import { type SiteComponents, TrainerError } from '@consilium/node';
import { wait } from './virtual-network.ts';
import type { VirtualClock } from './virtual-time.ts';

/** Training without patients: it takes virtual time, changes every weight a little, by the job's own seed, and fails now and then. */
export function cheapTrainer(
  clock: VirtualClock,
  random: Seeded,
  lostShare: number,
): SiteComponents['trainer'] {
  const work = async (signal: AbortSignal | undefined): Promise<void> => {
    await wait(clock, random.between(2_000, 20_000), signal);
    if (random.uniform() < lostShare)
      throw new TrainerError('PROCESS_LOST', 'the training process ended with SIGKILL');
  };
  return {
    check: async () => null,
    async train({ weights, steps, seed, optimizerState }, { signal } = {}) {
      await work(signal);
      const change = seeded('change', seed);
      return {
        weights: weights.map((value) => value + 0.01 * change.normal()),
        optimizerState: {
          rule: 'sgd',
          steps: (optimizerState?.steps ?? 0) + steps,
          first: new Float32Array(),
          second: new Float32Array(),
        },
        steps,
      };
    },
    async evaluate(_, { signal } = {}) {
      await work(signal);
      return { summary: summary(random.uniform()), patients: [] };
    },
  };
}

function summary(dice: number): CohortMetrics {
  const figure = { mean: dice, low: null, high: null, patients: 1 };
  return {
    patients: 1,
    collapsed: false,
    metrics: {
      dice: figure,
      diceInLung: figure,
      lungDice: figure,
      sensitivityLenient: figure,
      sensitivityStrict: figure,
      falsePerSliceLenient: figure,
      falsePerSliceStrict: figure,
      burden: figure,
      burdenTruth: figure,
      burdenError: figure,
    },
  };
}

/** A check that refuses the first weights that it is shown, however often, and no others. */
export function refusesFirstWeights(): SiteComponents['trainer']['check'] {
  let first: Float32Array | null = null;
  return async ({ weights }) => {
    first ??= weights;
    if (first.every((value, i) => value === weights[i])) {
      throw new ModelError('NON_FINITE', 'the values are not finite');
    }
    return null;
  };
}
