import type { OptimizerState } from '@consilium/compute';
import type { PrivateMechanism } from '@consilium/privacy';
import { putPart, takePart } from '@consilium/weights';
import type { Batch } from './draw-batch.ts';
import { drawPatientSlices, patientKey } from './draw-patient.ts';
import { ModelError } from './error.ts';
import type { LesionModel } from './lesion-model.ts';
import type { PatientLearner } from './patient-learner.ts';
import type { PreparedPatient } from './prepare.ts';
import { seeded } from './seeded.ts';
import type { LesionTask } from './task.ts';
import { trainedTensors } from './trainable.ts';
import { createStepper } from './training-step.ts';

/** What a study lets its sites train, and on how much of a patient. */
export interface PrivateTrainingSpec {
  /** Slices of a patient in one step: 1…64. Their gradients' mean is the patient's, however many slices the patient has. */
  readonly slicesPerPatient: number;
  /** Exact names of shared tensors, in any order; every other shared tensor stays as it is. See `trainableTensors`. */
  readonly trainable: readonly string[];
}

export interface TrainPrivatelyInit {
  readonly model: LesionModel;
  readonly cohort: readonly PreparedPatient[];
  /** The whole vector, site-local tensors included; it is not changed. */
  readonly weights: Float32Array;
  /** What the last call returned, or null to start afresh; it is not changed. It is over the trained tensors only. */
  readonly optimizerState: OptimizerState | null;
  readonly steps: number;
  /** Slices and augmentation depend on it, and on the steps that the optimizer state counts. It protects nobody: patients are drawn by the mechanism. */
  readonly seed: number;
  readonly mechanism: PrivateMechanism;
  readonly privacy: PrivateTrainingSpec;
}

/** All that is told on the way. A loss, a norm or the number of patients in a step would say something about single patients. */
export interface PrivateTrainProgress {
  /** Of this call, from 1. */
  readonly step: number;
  readonly steps: number;
}

export interface TrainPrivatelyResult {
  readonly weights: Float32Array;
  readonly optimizerState: OptimizerState;
  readonly steps: number;
}

/**
 * Trains for `steps` steps, each against what `mechanism` releases: patients drawn, each patient's gradient clipped as one vector over
 * all trained tensors, summed, noised.
 *
 * Promise: cohort and patients influence the result through the vectors that the mechanism returned, and in no other way. Weights, optimizer state and site-local
 * corrections move by those vectors alone; a correction `site/NAME` moves, by `siteRate`, exactly where `NAME` is trainable, and tensors that are not trained
 * keep their bits. What is checked of the cohort is that it is not empty. A patient whose gradient is not finite counts as not drawn.
 *
 * All or nothing: it returns after the last step or throws, and leaves its arguments as they were. What the mechanism began is spent either way.
 *
 * @throws {RangeError} when `slicesPerPatient` is not a whole number in 1…64.
 * @throws {ModelError} before a patient is looked at: `EMPTY_COHORT`; `LAYOUT_MISMATCH` when weights, optimizer state or a trainable name are not the network's;
 * `NON_FINITE` when a weight is not finite, or the network fails `LesionModel.check`, which looks at no patient. After a step: `NON_FINITE` when a weight is no longer finite.
 * @throws whatever the mechanism or the engine throws, and the signal's reason.
 * @see Abadi et al. 2016, Deep Learning with Differential Privacy, Algorithm 1, with the patient as the example
 */
export async function trainPrivately(
  init: TrainPrivatelyInit,
  options: { signal?: AbortSignal; onProgress?: (progress: PrivateTrainProgress) => void } = {},
): Promise<TrainPrivatelyResult> {
  const { model, cohort, steps, seed, mechanism, privacy } = init;
  const { task, layout } = model;
  checkBeforeData(init);
  await model.check(init.weights, options.signal);
  const trained = trainedTensors(task, privacy.trainable);
  const learner = model.patientLearner(privacy.slicesPerPatient, trained);
  const stepper = createStepper(task.training, learner.layout);
  checkState(init.optimizerState, task, learner);
  const current = init.weights.slice();
  const moving = takePart(layout, learner.layout, current);
  const state = stepper.resume(init.optimizerState);
  const keys = cohort.map(patientKey);
  for (let step = 1; step <= steps; step++) {
    options.signal?.throwIfAborted();
    const { steps: done } = state;
    const slicesOf = (index: number): Batch => {
      const random = seeded('patient slices', seed, done, keys[index] as string);
      const patient = cohort[index] as PreparedPatient;
      return drawPatientSlices(patient, task, privacy.slicesPerPatient, random, done);
    };
    const gradientsOf = (drawn: readonly number[]): AsyncIterable<Float32Array> =>
      learner.gradients(batchesOf(drawn, slicesOf), current);
    const released = await mechanism.step(
      {
        patients: cohort.length,
        dimension: learner.layout.length,
        gradientsOf,
      },
      options.signal && { signal: options.signal },
    );
    stepper.step(moving, released, state);
    checkFinite(moving);
    putPart(layout, learner.layout, current, moving);
    options.onProgress?.({ step, steps });
  }
  await model.check(current, options.signal);
  return { weights: current, optimizerState: state, steps };
}

/** Drawn when they are asked for: no more of them than one run takes are in memory. */
function* batchesOf(
  patients: readonly number[],
  slicesOf: (index: number) => Batch,
): Generator<Batch> {
  for (const index of patients) yield slicesOf(index);
}

function checkBeforeData({ model, cohort, weights, privacy }: TrainPrivatelyInit): void {
  const { slicesPerPatient } = privacy;
  if (!Number.isInteger(slicesPerPatient) || slicesPerPatient < 1 || slicesPerPatient > 64) {
    throw new RangeError(`slicesPerPatient must be 1 to 64, got ${slicesPerPatient}`);
  }
  if (cohort.length === 0) {
    throw new ModelError('EMPTY_COHORT', 'there is no patient to train on');
  }
  if (weights.length !== model.layout.length) {
    throw new ModelError(
      'LAYOUT_MISMATCH',
      `${weights.length} weights for a network of ${model.layout.length}`,
    );
  }
  checkFinite(weights);
}

function checkState(
  state: OptimizerState | null,
  { training }: LesionTask,
  { layout }: PatientLearner,
): void {
  if (
    state !== null &&
    (state.rule !== training.optimizer || state.first.length !== layout.length)
  ) {
    throw new ModelError(
      'LAYOUT_MISMATCH',
      `a state of ${state.rule} over ${state.first.length} values for ${training.optimizer} over ${layout.length} trained ones`,
    );
  }
}

function checkFinite(weights: Float32Array): void {
  if (!weights.every(Number.isFinite)) {
    throw new ModelError('NON_FINITE', 'a weight is not finite');
  }
}
