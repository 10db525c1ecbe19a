import { alterIntensity, drawAugmentation, placePlane } from './augment.ts';
import { ModelError } from './error.ts';
import { inputChannels } from './network.ts';
import type { PreparedPatient } from './prepare.ts';
import { type Seeded, seeded } from './seeded.ts';
import type { LesionTask } from './task.ts';

/** The inputs of the loss graph for one step. */
export interface Batch {
  readonly image: Float32Array;
  readonly lungTruth: Float32Array;
  readonly lesionTruth: Float32Array;
}

/**
 * Draws one batch: each sample takes a patient (all equally likely, however many slices they have), then, with the probability
 * `lesionShare`, one of the patient's slices with lesion, else any slice; then changes it at random. The same seed and
 * step give the same batch.
 *
 * @throws {ModelError} `EMPTY_COHORT` when there is no patient.
 */
export function drawBatch(
  cohort: readonly PreparedPatient[],
  task: LesionTask,
  seed: number,
  step: number,
): Batch {
  const { network, training } = task;
  const plane = network.size * network.size;
  const channels = inputChannels(network);
  const batch: Batch = {
    image: new Float32Array(training.batch * channels * plane),
    lungTruth: new Float32Array(training.batch * plane),
    lesionTruth: new Float32Array(training.batch * plane),
  };
  const random = seeded('batch', seed, step);
  for (let sample = 0; sample < training.batch; sample++) {
    const patient = cohort[random.below(cohort.length)];
    if (patient === undefined) {
      throw new ModelError('EMPTY_COHORT', 'there is no patient to train on');
    }
    const slice = drawSlice(patient, training.lesionShare, random);
    placeSample(patient, slice, task, random, {
      image: batch.image.subarray(sample * channels * plane, (sample + 1) * channels * plane),
      lungTruth: batch.lungTruth.subarray(sample * plane, (sample + 1) * plane),
      lesionTruth: batch.lesionTruth.subarray(sample * plane, (sample + 1) * plane),
    });
  }
  return batch;
}

function drawSlice(patient: PreparedPatient, lesionShare: number, random: Seeded): number {
  const { lesionSlices } = patient;
  return random.uniform() < lesionShare && lesionSlices.length > 0
    ? (lesionSlices[random.below(lesionSlices.length)] as number)
    : random.below(patient.depth);
}

function placeSample(
  patient: PreparedPatient,
  slice: number,
  { network, training }: LesionTask,
  random: Seeded,
  target: Batch,
): void {
  const { size, slices } = network;
  const plane = size * size;
  const augmentation = drawAugmentation(training.augmentation, random);
  for (let i = 0; i < slices; i++) {
    const z = neighbour(slice, i, slices, patient.depth);
    const source = patient.image.subarray(z * plane, (z + 1) * plane);
    const place = target.image.subarray(i * plane, (i + 1) * plane);
    placePlane(source, size, augmentation, 'border', 1, place);
    alterIntensity(place, augmentation, random);
  }
  const truth = (mask: Uint8Array, place: Float32Array): void => {
    const source = mask.subarray(slice * plane, (slice + 1) * plane);
    placePlane(source, size, augmentation, 'zero', 1 / 255, place);
  };
  truth(patient.lung, target.lungTruth);
  truth(patient.lesion, target.lesionTruth);
  if (network.lungInput && random.uniform() >= training.lungDropout) {
    target.image.set(target.lungTruth, slices * plane);
  }
}

/** The slice that stands `i`-th of `slices` around `slice`; the scan's first and last slice repeat beyond its ends. */
export function neighbour(slice: number, i: number, slices: number, depth: number): number {
  return Math.min(depth - 1, Math.max(0, slice + i - (slices - 1) / 2));
}
