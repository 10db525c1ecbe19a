import { networkLayout, parseTask } from '@consilium/model';
import type { SiteKey } from '@consilium/records';
import type { StudyState } from '@consilium/study';
import {
  encodePayload,
  fromGrid,
  putPart,
  quantize,
  type RandomBytes,
  splitLayout,
  takePart,
} from '@consilium/weights';
import type { Trainer } from './trainer.ts';
import type { CohortSource, JobProgress } from './training-messages.ts';
import type { TrainingState, TrainingStore } from './training-store.ts';

interface ContributeComponents {
  readonly key: SiteKey;
  readonly trainer: Pick<Trainer, 'train'>;
  readonly trainingStore: TrainingStore;
  readonly random: RandomBytes;
  readonly onProgress: (progress: JobProgress) => void;
}

interface ContributeInit {
  readonly state: StudyState;
  readonly cohort: CohortSource;
  readonly payloadBits: 8 | 16 | 32;
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
 * change of the *shared* weights as integers on the study's grid. The corrections stay in `training`.
 *
 * @throws whatever the training process throws; nothing was said or kept then.
 */
export async function contribute(
  components: ContributeComponents,
  init: ContributeInit,
): Promise<RoundContribution> {
  const { key, trainer, trainingStore, random, onProgress } = components;
  const { state, cohort, payloadBits, signal } = init;
  const { gridExponent } = state.manifest;
  const task = parseTask(state.manifest.task);
  const layout = networkLayout(task.network);
  const { shared, local } = splitLayout(layout);
  const lastRound = state.members.find(({ site }) => site === key.id)?.lastRound ?? 0;
  const kept = lastRound > 0 ? await trainingStore.load(lastRound) : null;

  const base = fromGrid(state.weights, gridExponent);
  const weights = new Float32Array(layout.length);
  putPart(layout, shared, weights, base);
  if (kept !== null) putPart(layout, local, weights, kept.local);

  const trained = await trainer.train(
    {
      task,
      weights,
      optimizerState: kept?.optimizer ?? null,
      steps: task.training.stepsPerRound,
      seed: seedFrom(random),
      cohort,
    },
    { signal, onProgress },
  );
  const change = takePart(layout, shared, trained.weights).map(
    (value, i) => value - (base[i] as number),
  );
  const { update, residual } = quantize(shared, change, {
    bits: payloadBits,
    gridExponent,
    random,
    ...(kept === null ? {} : { residual: kept.residual }),
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
