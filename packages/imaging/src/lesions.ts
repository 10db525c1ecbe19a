import { type Box, connectedComponents } from './components.ts';
import { type Mask, type Scan, sameSize } from './scan.ts';
import { countBySide, type Side, type SideOf, sidesOf } from './side.ts';

/** One lesion: a connected part of a lesion mask. */
export interface LesionMeasure {
  readonly label: number;
  readonly box: Box;
  readonly centroid: readonly [x: number, y: number, z: number];
  readonly voxels: number;
  /** Volume, or `null` when the spacing is not known. */
  readonly ml: number | null;
  /** Mean of the scan over the lesion, in the scan's own unit. */
  readonly meanIntensity: number;
  /** Where most of it lies; `null` when it cannot be known. */
  readonly side: Side | null;
}

/** ml of one voxel, or `null` when the spacing is not known. */
export function voxelMl(scan: Pick<Scan, 'spacingMm'>): number | null {
  return scan.spacingMm === null
    ? null
    : (scan.spacingMm[0] * scan.spacingMm[1] * scan.spacingMm[2]) / 1000;
}

/**
 * The lesions of a mask, largest first. Voxels that touch by a face, an edge or a corner are one lesion.
 *
 * `sideOf` tells sides; by default the scan's own affine and the lung mask do (see `sidesOf`).
 *
 * @throws {RangeError} when mask and scan differ in size.
 */
export function lesionsOf(
  mask: Mask,
  scan: Scan,
  options: { lung?: Mask | null; sideOf?: SideOf } = {},
): LesionMeasure[] {
  if (!sameSize(mask.size, scan.size)) {
    throw new RangeError(`mask is ${mask.size.join('×')}, scan is ${scan.size.join('×')}`);
  }
  const sideOf = options.sideOf ?? sidesOf(scan, options.lung ?? null);
  const { labels, components } = connectedComponents(mask);
  const sums = new Float64Array(components.length + 1);
  const leftMinusRight = new Int32Array(components.length + 1);
  const known = new Uint8Array(components.length + 1);
  const [width, height] = mask.size;
  for (let at = 0; at < labels.length; at++) {
    const label = labels[at] ?? 0;
    if (label === 0) continue;
    sums[label] = (sums[label] ?? 0) + (scan.voxels[at] ?? 0);
    const side = sideOf(
      at % width,
      Math.floor(at / width) % height,
      Math.floor(at / (width * height)),
    );
    if (side === null) continue;
    known[label] = 1;
    leftMinusRight[label] = (leftMinusRight[label] ?? 0) + (side === 'left' ? 1 : -1);
  }
  const ml = voxelMl(scan);
  return components.map((component) => ({
    ...component,
    ml: ml === null ? null : component.voxels * ml,
    meanIntensity: (sums[component.label] ?? 0) / component.voxels,
    side:
      known[component.label] === 0
        ? null
        : (leftMinusRight[component.label] ?? 0) >= 0
          ? 'left'
          : 'right',
  }));
}

/** Lesion volume as a share of lung volume, 0..1; `null` where there is no lung, or its side is not known. */
export interface Burden {
  readonly whole: number | null;
  readonly left: number | null;
  readonly right: number | null;
}

/**
 * How much of the lungs is diseased. Only lesion voxels inside the lung mask count, so that the result is never above 1.
 *
 * @throws {RangeError} when the masks differ in size.
 */
export function burden(masks: { lesion: Mask; lung: Mask }, sideOf: SideOf = () => null): Burden {
  const { lesion, lung } = masks;
  if (!sameSize(lesion.size, lung.size)) {
    throw new RangeError(
      `lesion mask is ${lesion.size.join('×')}, lung mask is ${lung.size.join('×')}`,
    );
  }
  const inside = {
    voxels: lesion.voxels.map((value, i) => (value !== 0 && lung.voxels[i] !== 0 ? 1 : 0)),
    size: lesion.size,
  };
  const diseased = countBySide(inside, sideOf);
  const all = countBySide(lung, sideOf);
  const share = (part: number, of: number): number | null => (of === 0 ? null : part / of);
  return {
    whole: share(
      diseased.left + diseased.right + diseased.unknown,
      all.left + all.right + all.unknown,
    ),
    left: share(diseased.left, all.left),
    right: share(diseased.right, all.right),
  };
}
