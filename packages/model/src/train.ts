import type { OptimizerState } from '@consilium/compute';
import { drawBatch } from './draw-batch.ts';
import { ModelError } from './error.ts';
import type { LesionModel } from './lesion-model.ts';
import type { PreparedPatient } from './prepare.ts';
import { openTraining } from './training-loop.ts';
import { learningRateAt } from './training-step.ts';

export interface TrainStepsInit {
  readonly model: LesionModel;
  readonly cohort: readonly PreparedPatient[];
  /** The whole vector, site-local tensors included; it is not changed. */
  readonly weights: Float32Array;
  /** What the last call returned, or null to start afresh; it is not changed. */
  readonly optimizerState: OptimizerState | null;
  readonly steps: number;
  /** Batches depend on it and on the steps that the optimizer state counts: going on draws new ones. */
  readonly seed: number;
}

/** What a step was like. For the site's own eyes: losses of single steps say something about single patients. */
export interface TrainProgress {
  /** Of this call, from 1. */
  readonly step: number;
  readonly loss: number;
  /** Soft Dice of the lesion in this batch, in [0, 1]. */
  readonly lesionDice: number;
  readonly learningRate: number;
}

export interface TrainStepsResult {
  readonly weights: Float32Array;
  readonly optimizerState: OptimizerState;
  readonly steps: number;
  readonly meanLoss: number;
}

/**
 * Trains for `steps` steps without privacy noise (profile `off`): draw a batch, gradient, clip its norm, step.
 *
 * All or nothing: it returns after the last step or throws, and leaves its arguments as they were.
 * The same arguments on the same engine and machine give the same result.
 *
 * @throws {ModelError} `EMPTY_COHORT` without a patient, or without a single slice of lesion; `LAYOUT_MISMATCH`;
 * `NON_FINITE` when a loss, a gradient or a new weight is NaN or infinite, or when the network fails `LesionModel.check` before or after training.
 * @throws the signal's reason, between two steps.
 */
export async function trainSteps(
  { model, cohort, weights, optimizerState, steps, seed }: TrainStepsInit,
  options: { signal?: AbortSignal; onProgress?: (progress: TrainProgress) => void } = {},
): Promise<TrainStepsResult> {
  checkCohort(cohort);
  const { task } = model;
  await model.check(weights, options.signal);
  const done = optimizerState?.steps ?? 0;
  const training = await openTraining(model, weights, optimizerState);
  let sum = 0;
  try {
    for (let step = 1; step <= steps; step++) {
      options.signal?.throwIfAborted();
      const learningRate = learningRateAt(task.training, done + step - 1);
      const batch = drawBatch(cohort, task, seed, done + step - 1);
      const { loss, lesionDice } = await training.step(batch, options.signal);
      sum += loss;
      options.onProgress?.({ step, loss, lesionDice, learningRate });
    }
    const reached = await training.read();
    if (!reached.weights.every(Number.isFinite)) {
      throw new ModelError('NON_FINITE', 'a weight is no longer finite after training');
    }
    await model.check(reached.weights, options.signal);
    const { weights: trained, state } = reached;
    return { weights: trained, optimizerState: state, steps, meanLoss: sum / steps };
  } finally {
    await training.close();
  }
}

function checkCohort(cohort: readonly PreparedPatient[]): void {
  if (cohort.length === 0) {
    throw new ModelError('EMPTY_COHORT', 'there is no patient to train on');
  }
  if (cohort.every(({ lesionSlices }) => lesionSlices.length === 0)) {
    throw new ModelError('EMPTY_COHORT', 'no patient has a lesion: there is nothing to learn');
  }
}
