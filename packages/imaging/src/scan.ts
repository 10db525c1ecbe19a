/** Voxels along x (fastest in memory), y and z (slowest). Each is a positive integer. */
export type Size = readonly [width: number, height: number, depth: number];

/**
 * One CT as one block of numbers.
 *
 * Guarantee of every reader and generator of this package: `voxels.length` is
 * `width * height * depth`, every voxel is finite, and what is not known is `null` and never guessed.
 */
export interface Scan {
  /** `[depth][height][width]`, width fastest. Unit: see `intensity`. */
  readonly voxels: Float32Array;
  readonly size: Size;
  /** Distance of neighbouring voxel centres along x, y and z, or `null` when the file has lost it. */
  readonly spacingMm: readonly [x: number, y: number, z: number] | null;
  /**
   * 4×4, row-major: voxel index (x, y, z, 1) → patient position in mm in LPS (+x to the patient's
   * left, +y to the back, +z to the head), or `null` when the file has lost it.
   */
  readonly affine: readonly number[] | null;
  /** `hounsfield`: HU. `display`: grey values 0..255 of an 8-bit export, with no physical unit. */
  readonly intensity: 'hounsfield' | 'display';
}

/** Which voxels belong to something: 1 inside, 0 outside, nothing else; laid out as in {@link Scan}. */
export interface Mask {
  readonly voxels: Uint8Array;
  readonly size: Size;
}

/** What was changed between the file and the scan, because the person who runs the site declared it. */
export type Correction = 'flipped-top-to-bottom';

/** One scan with what is known about it. `null` means: not annotated. An annotated scan without a lesion has an all-zero mask. */
export interface Patient {
  readonly id: string;
  readonly scan: Scan;
  readonly lung: Mask | null;
  readonly lesion: Mask | null;
  /** Absent or empty when the voxels are as they were stored. */
  readonly corrections?: readonly Correction[];
}

/** Whether two grids have the same number of voxels along each axis. */
export function sameSize(a: Size, b: Size): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2];
}

/** `width * height * depth`. */
export function voxelCount(size: Size): number {
  return size[0] * size[1] * size[2];
}
