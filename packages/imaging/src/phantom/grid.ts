import type { Size } from '../scan.ts';

/** Where the voxels of a scan being generated lie: always feet first, front row first, right column first (LPS). */
export interface Grid {
  readonly size: Size;
  readonly spacingMm: readonly [x: number, y: number, z: number];
  /** Centre of voxel (0, 0, 0). */
  readonly originMm: readonly [x: number, y: number, z: number];
  /** How much of the body one slice averages over along z. */
  readonly thicknessMm: number;
}
