import type { Scan } from '@consilium/imaging';

/** Which axes of a plane run against the direction that the network is taught: x to the patient's left, y to the back. */
export interface Orientation {
  readonly mirrorX: boolean;
  readonly mirrorY: boolean;
}

/**
 * Reads the orientation off the affine of a scan whose planes are axial to within 45°. Without an affine, or for planes of another
 * direction, nothing is turned: it is not guessed.
 */
export function orientationOf({ affine }: Pick<Scan, 'affine'>): Orientation {
  const xx = affine?.[0] ?? 0;
  const yx = affine?.[4] ?? 0;
  const xy = affine?.[1] ?? 0;
  const yy = affine?.[5] ?? 0;
  const isAxial = Math.abs(xx) > Math.abs(yx) && Math.abs(yy) > Math.abs(xy);
  return { mirrorX: isAxial && xx < 0, mirrorY: isAxial && yy < 0 };
}

/** Turns a plane [height][width] over, in place, along the axes that the orientation names; doing it twice gives the plane back. */
export function turn(
  plane: Float32Array,
  width: number,
  height: number,
  { mirrorX, mirrorY }: Orientation,
): void {
  if (mirrorX) {
    for (let row = 0; row < plane.length; row += width) {
      plane.subarray(row, row + width).reverse();
    }
  }
  if (mirrorY) {
    for (let y = 0; y < height >> 1; y++) {
      const upper = plane.slice(y * width, (y + 1) * width);
      const from = (height - 1 - y) * width;
      plane.copyWithin(y * width, from, from + width);
      plane.set(upper, from);
    }
  }
}
