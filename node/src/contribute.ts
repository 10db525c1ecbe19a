import type { SiteId } from '@consilium/records';
import type { StudyState } from '@consilium/study';
import { encodePayload, quantize, type RandomBytes, takePart } from '@consilium/weights';
import { modelHere } from './model-here.ts';
import type { Trainer } from './trainer.ts';
import type { CohortSource, JobProgress, PrivateTraining } from './training-messages.ts';
import type { TrainingState, TrainingStore } from './training-store.ts';

interface ContributeComponents {
  /** The member whose corrections lie in the training store. */
  readonly site: SiteId;
  readonly trainer: Pick<Trainer, 'train'>;
  readonly trainingStore: TrainingStore;
  readonly random: RandomBytes;
  readonly onProgress: (progress: JobProgress) => void;
}

interface ContributeInit {
  readonly state: StudyState;
  readonly cohort: CohortSource;
  readonly payloadBits: 8 | 16 | 32;
  /** Null trains without differential privacy. What it costs must be reserved before. */
  readonly privacy: PrivateTraining | null;
  readonly signal: AbortSignal;
}

/** A trained round before it is said: the payload's bytes, and what the site keeps for itself. */
export interface RoundContribution {
  readonly payload: Uint8Array;
  readonly training: TrainingState;
  readonly steps: number;
}

/**
 * Trains one round from a state: the network's shared weights with the site's own corrections, so many steps on the site's own patients, and the
 * change of the *shared* weights as integers on the study's grid. The corrections stay in `training`. Under privacy all of it is computed from noised
 * gradients alone, rounding and its residue included.
 *
 * @throws whatever the training process throws; nothing was said or kept then.
 */
export async function contribute(
  components: ContributeComponents,
  init: ContributeInit,
): Promise<RoundContribution> {
  const { site, trainer, trainingStore, random, onProgress } = components;
  const { state, cohort, payloadBits, privacy, signal } = init;
  const { gridExponent } = state.manifest;
  const { task, layout, shared, local, weights, training } = await modelHere(
    state,
    site,
    trainingStore,
  );

  const trained = await trainer.train(
    {
      task,
      weights,
      optimizerState: training?.optimizer ?? null,
      steps: task.training.stepsPerRound,
      seed: seedFrom(random),
      cohort,
      privacy,
    },
    { signal, onProgress },
  );
  const base = takePart(layout, shared, weights);
  const change = takePart(layout, shared, trained.weights).map(
    (value, i) => value - (base[i] as number),
  );
  const { update, residual } = quantize(shared, change, {
    bits: payloadBits,
    gridExponent,
    random,
    ...(training === null ? {} : { residual: training.residual }),
  });
  return {
    payload: encodePayload(update),
    training: {
      local: takePart(layout, local, trained.weights),
      optimizer: trained.optimizerState,
      residual,
    },
    steps: trained.steps,
  };
}

function seedFrom(random: RandomBytes): number {
  const bytes = random(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}
