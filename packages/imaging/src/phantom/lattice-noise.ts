/** A smooth random field over space: values in 0..1, mean about 0.5, features about one cell wide. */
export type NoiseField = (x: number, y: number, z: number) => number;

/**
 * Value noise: random values on a lattice with cells of `cellMm`, blended by cubic steps between them.
 * Continuous, with a continuous gradient, and the same for the same `seed`, wherever it is asked.
 */
export function createNoiseField(seed: number, cellMm: number): NoiseField {
  const scale = 1 / cellMm;
  return (x, y, z) => {
    const fx = x * scale;
    const fy = y * scale;
    const fz = z * scale;
    const ix = Math.floor(fx);
    const iy = Math.floor(fy);
    const iz = Math.floor(fz);
    const u = smooth(fx - ix);
    const v = smooth(fy - iy);
    const w = smooth(fz - iz);
    const low = plane(seed, ix, iy, iz, u, v);
    return low + w * (plane(seed, ix, iy, iz + 1, u, v) - low);
  };
}

function plane(seed: number, ix: number, iy: number, iz: number, u: number, v: number): number {
  const a = lattice(seed, ix, iy, iz);
  const b = lattice(seed, ix + 1, iy, iz);
  const c = lattice(seed, ix, iy + 1, iz);
  const d = lattice(seed, ix + 1, iy + 1, iz);
  const front = a + u * (b - a);
  return front + v * (c + u * (d - c) - front);
}

function smooth(t: number): number {
  return t * t * (3 - 2 * t);
}

function lattice(seed: number, ix: number, iy: number, iz: number): number {
  let h =
    (seed ^ Math.imul(ix, 0x27d4eb2d) ^ Math.imul(iy, 0x165667b1) ^ Math.imul(iz, 0x9e3779b1)) | 0;
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return ((h ^ (h >>> 15)) >>> 0) / 2 ** 32;
}
