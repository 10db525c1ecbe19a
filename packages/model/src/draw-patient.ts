import { createHash } from 'node:crypto';
import {
  type Batch,
  emptyBatch,
  outsideWeightAt,
  placeSample,
  sampleOf,
  weighPixels,
} from './draw-batch.ts';
import type { PreparedPatient } from './prepare.ts';
import type { Seeded } from './seeded.ts';
import type { LesionTask } from './task.ts';

/**
 * Draws `slices` slices of one patient, changed at random, as the inputs of `patientLossGraph`: each, with the probability `lesionShare`, one of
 * the slices with lesion, else any. No slice comes twice unless the patient has fewer than `slices`.
 *
 * Nothing in the result depends on another patient. A patient without lesions, or without lung in a slice, is drawn like any other.
 *
 * @param step counted over all of the site's training: the weight of what lies outside the lung follows it.
 */
export function drawPatientSlices(
  patient: PreparedPatient,
  task: LesionTask,
  slices: number,
  random: Seeded,
  step: number,
): Batch {
  const { network, training } = task;
  const batch = emptyBatch(network, slices);
  const leastInside = leastLungShare * network.cropSize * network.cropSize;
  const drawn = drawSlices(patient, training.lesionShare, slices, random);
  for (const [i, slice] of drawn.entries()) {
    const sample = sampleOf(batch, network, i);
    placeSample(patient, slice, task, random, sample);
    weighPixels(sample, training, outsideWeightAt(training, step), leastInside);
  }
  return batch;
}

/**
 * Below this share of lung in a slice, each pixel of lung weighs as much as it would at it. Without it a few pixels at the lung's tip would carry a loss a
 * hundred times that of other slices, and the patient's gradient, once clipped, would say nothing else. Lungs cover up to 24 % of a plane.
 */
const leastLungShare = 1 / 16;

function drawSlices(
  { depth, lesionSlices }: PreparedPatient,
  lesionShare: number,
  count: number,
  random: Seeded,
): number[] {
  const left = new Set(Array.from({ length: depth }, (_, z) => z));
  const drawn: number[] = [];
  for (let i = 0; i < count; i++) {
    const wantsLesion = random.uniform() < lesionShare;
    const withLesion = wantsLesion ? lesionSlices.filter((z) => left.has(z)) : [];
    const candidates = withLesion.length > 0 ? withLesion : [...left];
    const slice = candidates[random.below(candidates.length)] as number;
    drawn.push(slice);
    if (depth >= count) {
      left.delete(slice);
    }
  }
  return drawn;
}

/**
 * What a patient's draws are keyed by: SHA-256 (hex) over image and masks.
 *
 * Not the place in the cohort: without one patient the others would move up, draw other slices and have other gradients, and one patient's influence
 * on the sum would no longer be bounded by its own clipped gradient.
 */
export function patientKey({ image, lung, lesion }: PreparedPatient): string {
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of [image, lung, lesion]) {
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest('hex');
}
