import type { Mask, Patient, Scan } from '@consilium/imaging';
import { ModelError } from './error.ts';
import { axisMap, resizePlane } from './resize.ts';
import type { LesionTask } from './task.ts';

/** A scan as the network wants it: `depth` planes of `size` × `size`, intensities normalised from the scan itself. */
export interface PreparedScan {
  readonly size: number;
  readonly depth: number;
  /** [depth][size][size]. */
  readonly image: Float32Array;
}

/** A patient ready to train on. A mask holds the share of each cell that it covers, 0…255. */
export interface PreparedPatient extends PreparedScan {
  readonly lung: Uint8Array;
  readonly lesion: Uint8Array;
  /** The slices that hold lesion, in rising order; empty for a patient without lesions. */
  readonly lesionSlices: readonly number[];
}

/**
 * Windows, normalises and resizes a scan.
 *
 * HU are cut to `windowHu` and mapped to [0, 1]; grey values of an 8-bit export are divided by 255. With
 * normalisation `scan` the values are then given the mean 0 and the standard deviation 1 over the scan: figures that are taken from this scan,
 * used for this scan and kept nowhere. A constant scan becomes all zero.
 *
 * @throws {ModelError} `SCAN_INVALID` when the voxels are not of the announced number or not finite.
 */
export function prepareScan(scan: Scan, task: LesionTask): PreparedScan {
  const [width, height, depth] = scan.size;
  const { size } = task.network;
  if (scan.voxels.length !== width * height * depth || depth === 0) {
    throw new ModelError(
      'SCAN_INVALID',
      `${scan.voxels.length} voxels where ${width} x ${height} x ${depth} are announced`,
    );
  }
  const image = resizeStack(scan.voxels, scan.size, size, toUnit(scan, task));
  if (task.input.normalisation === 'scan') {
    standardise(image);
  }
  return { size, depth, image };
}

/**
 * {@link prepareScan} with both masks.
 *
 * @throws {ModelError} `MASK_MISSING` when the patient lacks one, `SCAN_INVALID` as above.
 */
export function preparePatient(patient: Patient, task: LesionTask): PreparedPatient {
  if (patient.lung === null || patient.lesion === null) {
    throw new ModelError(
      'MASK_MISSING',
      'training needs the lung and the lesion mask of a patient',
    );
  }
  const prepared = prepareScan(patient.scan, task);
  const lesion = prepareMask(patient.lesion, task.network.size);
  return {
    ...prepared,
    lung: prepareMask(patient.lung, task.network.size),
    lesion,
    lesionSlices: slicesWithin(patient.lesion),
  };
}

function toUnit(scan: Scan, task: LesionTask): (value: number) => number {
  if (scan.intensity === 'display') {
    return (value) => value / 255;
  }
  const [low, high] = task.input.windowHu;
  return (value) => (Math.min(high, Math.max(low, value)) - low) / (high - low);
}

function resizeStack(
  voxels: ArrayLike<number>,
  [width, height, depth]: Scan['size'],
  size: number,
  map: (value: number) => number,
): Float32Array {
  const columns = axisMap(width, size);
  const rows = axisMap(height, size);
  const plane = new Float32Array(width * height);
  const result = new Float32Array(size * size * depth);
  for (let z = 0; z < depth; z++) {
    for (let i = 0; i < plane.length; i++) {
      plane[i] = map(voxels[z * plane.length + i] as number);
    }
    resizePlane(plane, columns, rows, result.subarray(z * size * size, (z + 1) * size * size));
  }
  return result;
}

function prepareMask(mask: Mask, size: number): Uint8Array {
  const covered = resizeStack(mask.voxels, mask.size, size, (value) => value * 255);
  return Uint8Array.from(covered, (value) => Math.round(value));
}

function slicesWithin(mask: Mask): number[] {
  const [width, height, depth] = mask.size;
  const plane = width * height;
  return Array.from({ length: depth }, (_, z) => z).filter((z) =>
    mask.voxels.subarray(z * plane, (z + 1) * plane).some((value) => value !== 0),
  );
}

function standardise(image: Float32Array): void {
  let sum = 0;
  let squares = 0;
  for (const value of image) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / image.length;
  const deviation = Math.sqrt(Math.max(0, squares / image.length - mean * mean));
  if (!Number.isFinite(deviation)) {
    throw new ModelError('SCAN_INVALID', 'the scan holds a voxel that is not finite');
  }
  const scale = deviation > 1e-6 ? 1 / deviation : 0;
  for (let i = 0; i < image.length; i++) {
    image[i] = ((image[i] as number) - mean) * scale;
  }
}
