/** What one patient's gradient is brought to: integers n that stand for n · 2^gridExponent, of norm at most `clipNorm`. */
export interface ClipGrid {
  readonly gridExponent: number;
  readonly clipNorm: number;
  /** ⌊(clipNorm / 2^gridExponent)²⌋, exactly: what the integers' squares may sum to. At most 2^52. */
  readonly largestSquaredNorm: number;
}

/**
 * @throws {RangeError} for a `gridExponent` that is no whole number in −126…0, and for a `clipNorm` outside of 2^10…2^26 grid steps:
 * below, truncation would eat the gradient; above, the integers' squares could sum to 2^53, where float64 rounds.
 */
export function createClipGrid(clipNorm: number, gridExponent: number): ClipGrid {
  if (!(Number.isInteger(gridExponent) && gridExponent >= -126 && gridExponent <= 0)) {
    throw new RangeError(`gridExponent must be a whole number in -126…0, got ${gridExponent}`);
  }
  const steps = clipNorm / 2 ** gridExponent;
  if (!(steps >= 2 ** 10 && steps <= 2 ** 26)) {
    throw new RangeError(`clipNorm must be 2^10…2^26 grid steps, got ${steps}`);
  }
  // From 2^10 on a float64 is a whole number of 2^-42.
  const scaled = BigInt(steps * 2 ** 42);
  return { gridExponent, clipNorm, largestSquaredNorm: Number((scaled * scaled) >> 84n) };
}

/**
 * Writes `gradient` to `clipped` in grid steps: scaled over its whole length to an L2 norm of at most `clipNorm`, then truncated toward
 * zero. Returns whether anything but zeros was written.
 *
 * A gradient that holds NaN or an infinity becomes zeros, as if there were none. Any finite one is clipped, however large: squares of
 * float32 numbers neither overflow nor vanish in float64.
 *
 * Guarantee, in integers: Σ clipped² ≤ grid.largestSquaredNorm. Truncation never lengthens a vector; where the rounding of the scale did, it
 * is lowered until the sum, which float64 holds exactly, is in bounds. So one patient moves a sum of such vectors by at most `clipNorm`.
 *
 * @throws {RangeError} when the lengths differ.
 * @see Abadi et al. 2016, Deep Learning with Differential Privacy, Algorithm 1; Kairouz, Liu, Steinke 2021, The Distributed Discrete Gaussian
 * Mechanism, for why a rounding must not lengthen
 */
export function clipToGrid(gradient: Float32Array, grid: ClipGrid, clipped: Int32Array): boolean {
  if (gradient.length !== clipped.length) {
    throw new RangeError(`a gradient of ${gradient.length} values for ${clipped.length}`);
  }
  const norm = l2Norm(gradient);
  if (norm === 0 || !Number.isFinite(norm)) {
    clipped.fill(0);
    return false;
  }
  let scale = Math.min(1, grid.clipNorm / norm) / 2 ** grid.gridExponent;
  let squaredNorm = truncate(gradient, scale, clipped);
  while (squaredNorm > grid.largestSquaredNorm) {
    scale *= 1 - 2 ** -30;
    squaredNorm = truncate(gradient, scale, clipped);
  }
  return squaredNorm > 0;
}

function l2Norm(vector: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < vector.length; i++) {
    const value = vector[i] as number;
    sum += value * value;
  }
  return Math.sqrt(sum);
}

/** Writes `scale · gradient`, truncated toward zero, and returns the sum of its squares. */
function truncate(gradient: Float32Array, scale: number, clipped: Int32Array): number {
  let squaredNorm = 0;
  for (let i = 0; i < gradient.length; i++) {
    const steps = Math.trunc((gradient[i] as number) * scale);
    clipped[i] = steps;
    squaredNorm += steps * steps;
  }
  return squaredNorm;
}
