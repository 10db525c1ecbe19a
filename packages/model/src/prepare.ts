import type { Mask, Patient, Scan } from '@consilium/imaging';
import { ModelError } from './error.ts';
import { valuesAtRanks } from './order-statistics.ts';
import { type Orientation, orientationOf, turn } from './orientation.ts';
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
 * Windows, turns, resizes and normalises a scan.
 *
 * HU are cut to `windowHu` and mapped to [0, 1]; grey values of an 8-bit export are divided by 255. Planes are turned so that x runs to the patient's
 * left and y to the back where the scan knows its affine. Then the scan's own percentiles are laid to −1.06 and 1.97: figures that
 * are taken from this scan, used for this scan and kept nowhere. A scan without contrast becomes all zero.
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
  const image = resizeStack(windowed(scan, task), scan.size, size, orientationOf(scan));
  normalise(image, task.input.percentiles);
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
  const orientation = orientationOf(patient.scan);
  return {
    ...prepared,
    lung: prepareMask(patient.lung, task.network.size, orientation),
    lesion: prepareMask(patient.lesion, task.network.size, orientation),
    lesionSlices: slicesWithin(patient.lesion),
  };
}

/** Writes a plane of a scan to `plane`, as values in [0, 1]. */
function windowed({ voxels, intensity }: Scan, task: LesionTask): FillPlane {
  const [low, high] = intensity === 'display' ? [0, 255] : task.input.windowHu;
  const width = high - low;
  const isCut = intensity !== 'display';
  return (start, plane) => {
    for (let i = 0; i < plane.length; i++) {
      const value = voxels[start + i] as number;
      plane[i] = ((isCut ? Math.min(high, Math.max(low, value)) : value) - low) / width;
    }
  };
}

/** Writes the voxels from `start` to a plane, as the plane is to be resized. */
type FillPlane = (start: number, plane: Float32Array) => void;

function resizeStack(
  fill: FillPlane,
  [width, height, depth]: Scan['size'],
  size: number,
  orientation: Orientation,
): Float32Array {
  const columns = axisMap(width, size);
  const rows = axisMap(height, size);
  const plane = new Float32Array(width * height);
  const scratch = new Float32Array(height * size);
  const result = new Float32Array(size * size * depth);
  for (let z = 0; z < depth; z++) {
    fill(z * plane.length, plane);
    const target = result.subarray(z * size * size, (z + 1) * size * size);
    turn(resizePlane(plane, columns, rows, target, scratch), size, size, orientation);
  }
  return result;
}

function prepareMask({ voxels, size }: Mask, side: number, orientation: Orientation): Uint8Array {
  const fill: FillPlane = (start, plane) => {
    for (let i = 0; i < plane.length; i++) {
      plane[i] = (voxels[start + i] as number) * 255;
    }
  };
  const covered = resizeStack(fill, size, side, orientation);
  return Uint8Array.from(covered, (value) => Math.round(value));
}

function slicesWithin(mask: Mask): number[] {
  const [width, height, depth] = mask.size;
  const plane = width * height;
  return Array.from({ length: depth }, (_, z) => z).filter((z) =>
    mask.voxels.subarray(z * plane, (z + 1) * plane).some((value) => value !== 0),
  );
}

function normalise(image: Float32Array, percentiles: readonly [number, number]): void {
  const last = image.length - 1;
  const ranks = percentiles.map((percent) => Math.round((percent / 100) * last));
  // NaN and infinities stand at the ends: two looks tell whether every value is finite.
  const [least, low, high, most] = valuesAtRanks(image, [0, ...ranks, last]) as [
    number,
    number,
    number,
    number,
  ];
  if (!Number.isFinite(least) || !Number.isFinite(most)) {
    throw new ModelError('SCAN_INVALID', 'the scan holds a voxel that is not finite');
  }
  const spread = high - low;
  const scale = spread > 1e-6 ? 1 / (0.33 * spread) : 0;
  for (let i = 0; i < image.length; i++) {
    image[i] = ((image[i] as number) - low - 0.35 * spread) * scale;
  }
}
