import type { Patient } from '@consilium/imaging';
import { atLeast, type LesionTask, type Prediction, readingThreshold } from '@consilium/model';
import type { SlicePicture } from './training-messages.ts';

/** The slices with most true lesion (without any: with most lung), in the order of the scan. */
export function picturesOf(
  patient: Patient,
  prediction: Prediction,
  task: LesionTask,
  index: number,
  count: number,
): SlicePicture[] {
  const [width, height, depth] = patient.scan.size;
  const plane = width * height;
  const part = <T extends Uint8Array | Float32Array>(values: T, z: number): T =>
    values.slice(z * plane, (z + 1) * plane) as T;
  const nothing = new Uint8Array(plane * depth);
  const lung = patient.lung?.voxels ?? nothing;
  const lesion = patient.lesion?.voxels ?? nothing;
  const weightOf = (z: number): number => sum(part(lesion, z)) * plane + sum(part(lung, z));
  const slices = Array.from({ length: depth }, (_, z) => z)
    .sort((a, b) => weightOf(b) - weightOf(a))
    .slice(0, count)
    .sort((a, b) => a - b);
  return slices.map((slice) => ({
    patient: index,
    slice,
    width,
    height,
    grey: greyOf(part(patient.scan.voxels, slice), patient.scan.intensity, task),
    truth: { lung: part(lung, slice), lesion: part(lesion, slice) },
    predicted: {
      lung: atLeast(part(prediction.lung, slice), 0.5),
      lesion: atLeast(part(prediction.lesion, slice), readingThreshold),
    },
  }));
}

function greyOf(
  values: Float32Array,
  intensity: Patient['scan']['intensity'],
  task: LesionTask,
): Uint8Array {
  const [low, high] = intensity === 'display' ? [0, 255] : task.input.windowHu;
  return Uint8Array.from(values, (value) =>
    Math.round((255 * (Math.min(high, Math.max(low, value)) - low)) / (high - low)),
  );
}

function sum(mask: Uint8Array): number {
  let total = 0;
  for (const value of mask) {
    total += value;
  }
  return total;
}
