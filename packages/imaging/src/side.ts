import { connectedComponents } from './components.ts';
import { type Mask, type Scan, voxelCount } from './scan.ts';

/** The patient's own side. */
export type Side = 'left' | 'right';

/** Tells the side of columns of voxels. `null` where nothing known about the scan tells it. */
export type SideOf = (x: number, y: number, z: number) => Side | null;

/**
 * How sides are told in this scan.
 *
 * The border between them is the plane halfway between the two lungs where the lung mask has
 * two large parts (each at least a tenth of all), else halfway along the mask's width. Which of the two is the patient's left
 * is told by the affine (LPS: +x is left). Without an affine it is never guessed from the picture:
 * give `leftIs`, if the site declares how its slices are stored; otherwise every answer is `null`.
 */
export function sidesOf(
  scan: Pick<Scan, 'affine' | 'size'>,
  lung: Mask | null,
  options: { leftIs?: 'high-x' | 'low-x' } = {},
): SideOf {
  const axis = leftward(scan.affine, options.leftIs);
  const middle = lung === null ? null : middlePlane(lung, axis);
  if (axis === null || middle === null) return () => null;
  return (x, y, z) => (axis[0] * x + axis[1] * y + axis[2] * z >= middle ? 'left' : 'right');
}

type Axis = readonly [number, number, number];

/** The direction in voxel space along which the patient's left lies. */
function leftward(
  affine: readonly number[] | null,
  leftIs: 'high-x' | 'low-x' | undefined,
): Axis | null {
  if (affine !== null) return [affine[0] ?? 0, affine[1] ?? 0, affine[2] ?? 0];
  if (leftIs === undefined) return null;
  return leftIs === 'high-x' ? [1, 0, 0] : [-1, 0, 0];
}

function middlePlane(lung: Mask, axis: Axis | null): number | null {
  if (axis === null) return null;
  const along = ([x, y, z]: Axis): number => axis[0] * x + axis[1] * y + axis[2] * z;
  const { components } = connectedComponents(lung);
  const [first, second] = components;
  if (first === undefined) return null;
  const all = components.reduce((sum, c) => sum + c.voxels, 0);
  if (second !== undefined && second.voxels >= all / 10) {
    return (along(first.centroid) + along(second.centroid)) / 2;
  }
  return (along(first.box.min) + along(first.box.max)) / 2;
}

/** Splits a mask's voxel count by side: `[left, right, unknown]`. */
export function countBySide(
  mask: Mask,
  sideOf: SideOf,
): { left: number; right: number; unknown: number } {
  const [width, height] = mask.size;
  const count = { left: 0, right: 0, unknown: 0 };
  for (let at = 0; at < voxelCount(mask.size); at++) {
    if (mask.voxels[at] === 0) continue;
    const side = sideOf(
      at % width,
      Math.floor(at / width) % height,
      Math.floor(at / (width * height)),
    );
    count[side ?? 'unknown']++;
  }
  return count;
}
