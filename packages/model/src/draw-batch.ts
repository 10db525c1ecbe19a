import { alterIntensity, cutOut, drawPlacement } from './augment.ts';
import { ModelError } from './error.ts';
import type { PreparedPatient } from './prepare.ts';
import { type Seeded, seeded } from './seeded.ts';
import type { LesionTask, NetworkSpec, TrainingSpec } from './task.ts';

/** The inputs of a loss graph: `image` [samples][slices][cropSize][cropSize], the others [samples][cropSize][cropSize]. */
export interface Batch {
  readonly image: Float32Array;
  readonly lungTruth: Float32Array;
  readonly lesionTruth: Float32Array;
  readonly lungWeight: Float32Array;
  readonly lesionWeight: Float32Array;
  readonly outside: Float32Array;
}

/** A logit at which a sigmoid is zero for float32's purposes, and its gradient with it. */
const never = -40;

/**
 * Draws one batch: each sample takes a patient, with a chance that grows with the root of the number of slices, then, with the probability
 * `lesionShare`, one of the patient's slices with lesion, else any slice; then changes it at random. The same cohort, seed and
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
  const batch = emptyBatch(network, training.batch);
  const random = seeded('batch', seed, step);
  for (let sample = 0; sample < training.batch; sample++) {
    const patient = drawPatient(cohort, random);
    const slice = drawSlice(patient, training.lesionShare, random);
    placeSample(patient, slice, task, random, sampleOf(batch, network, sample));
  }
  weighPixels(batch, training, outsideWeightAt(training, step), 0);
  return batch;
}

/** A batch of `samples` samples, all zero. */
export function emptyBatch({ slices, cropSize }: NetworkSpec, samples: number): Batch {
  const pixels = samples * cropSize * cropSize;
  return {
    image: new Float32Array(slices * pixels),
    lungTruth: new Float32Array(pixels),
    lesionTruth: new Float32Array(pixels),
    lungWeight: new Float32Array(pixels),
    lesionWeight: new Float32Array(pixels),
    outside: new Float32Array(pixels),
  };
}

/** One sample of a batch: what is written to it is written to the batch. */
export function sampleOf(batch: Batch, { slices, cropSize }: NetworkSpec, sample: number): Batch {
  const pixels = cropSize * cropSize;
  const part = (values: Float32Array, planes = 1): Float32Array =>
    values.subarray(sample * planes * pixels, (sample + 1) * planes * pixels);
  return {
    image: part(batch.image, slices),
    lungTruth: part(batch.lungTruth),
    lesionTruth: part(batch.lesionTruth),
    lungWeight: part(batch.lungWeight),
    lesionWeight: part(batch.lesionWeight),
    outside: part(batch.outside),
  };
}

function drawPatient(cohort: readonly PreparedPatient[], random: Seeded): PreparedPatient {
  const total = cohort.reduce((sum, { depth }) => sum + Math.sqrt(depth), 0);
  let left = random.uniform() * total;
  for (const patient of cohort) {
    left -= Math.sqrt(patient.depth);
    if (left < 0) {
      return patient;
    }
  }
  const last = cohort.at(-1);
  if (last === undefined) {
    throw new ModelError('EMPTY_COHORT', 'there is no patient to train on');
  }
  return last;
}

function drawSlice(patient: PreparedPatient, lesionShare: number, random: Seeded): number {
  const { lesionSlices } = patient;
  return random.uniform() < lesionShare && lesionSlices.length > 0
    ? (lesionSlices[random.below(lesionSlices.length)] as number)
    : random.below(patient.depth);
}

/** Writes one slice of a patient, changed at random within the task's bounds, and its masks to a sample. */
export function placeSample(
  patient: PreparedPatient,
  slice: number,
  { network, training }: LesionTask,
  random: Seeded,
  target: Pick<Batch, 'image' | 'lungTruth' | 'lesionTruth'>,
): void {
  const { size, cropSize, slices } = network;
  const crop = cropSize * cropSize;
  const placement = drawPlacement(training.augmentation, size, random);
  const isReversed = random.uniform() < training.augmentation.flipAxial;
  const planeOf = <T extends Float32Array | Uint8Array>(values: T, z: number): T =>
    values.subarray(z * size * size, (z + 1) * size * size) as T;
  for (let i = 0; i < slices; i++) {
    const z = neighbour(slice, isReversed ? slices - 1 - i : i, slices, patient.depth);
    const place = target.image.subarray(i * crop, (i + 1) * crop);
    cutOut(planeOf(patient.image, z), size, placement, 'border', 1, place, cropSize);
  }
  alterIntensity(target.image, cropSize, training.augmentation, random);
  for (const [mask, place] of [
    [patient.lung, target.lungTruth],
    [patient.lesion, target.lesionTruth],
  ] as const) {
    cutOut(planeOf(mask, slice), size, placement, 'zero', 1 / 255, place, cropSize);
  }
}

/**
 * The weight of the lesion's cross-entropy outside the lung at a step: it grows with the square of the way to `decaySteps`, since at full weight from
 * the start it teaches "never a lesion" before there is anything to tell lesions by.
 */
export function outsideWeightAt({ outsideWeight, decaySteps }: TrainingSpec, step: number): number {
  return decaySteps === 0 ? outsideWeight : outsideWeight * Math.min(1, step / decaySteps) ** 2;
}

/**
 * Fills what the loss needs to know about each pixel of a batch or of one sample, and takes lesion outside of the lung away.
 *
 * The lesion's cross-entropy becomes the mean over the pixels of true lung in what is given; fewer than `leastInside` of them count
 * as that many.
 */
export function weighPixels(
  { lungTruth, lungWeight, lesionTruth, lesionWeight, outside }: Batch,
  { lungLesionWeight }: TrainingSpec,
  outsideWeight: number,
  leastInside: number,
): void {
  let inside = 0;
  for (const value of lungTruth) {
    inside += value > 0.5 ? 1 : 0;
  }
  const weight = lungTruth.length / (Math.max(inside, leastInside) + 1);
  for (let i = 0; i < lungTruth.length; i++) {
    const isLung = (lungTruth[i] as number) > 0.5;
    lungWeight[i] = 1 + lungLesionWeight * (lesionTruth[i] as number);
    lesionWeight[i] = isLung ? weight : weight * outsideWeight;
    outside[i] = isLung ? 0 : never;
    lesionTruth[i] = isLung ? (lesionTruth[i] as number) : 0;
  }
}

/** The slice that stands `i`-th of `slices` around `slice`; the scan's first and last slice repeat beyond its ends. */
export function neighbour(slice: number, i: number, slices: number, depth: number): number {
  return Math.min(depth - 1, Math.max(0, slice + i - (slices - 1) / 2));
}
