/** Discrete Fourier transforms of one size, in place, on complex vectors given as real and imaginary parts. */
export interface Fft {
  readonly size: number;
  /** Bound of rounding errors: see `createFft`. */
  readonly relativeError: number;
  /** Σ_j x_j exp(−2πi jk / size), at the place whose bits are those of k in reverse. */
  transform(re: Float64Array, im: Float64Array): void;
  /** Takes what `transform` left, in its order, back to x. */
  invert(re: Float64Array, im: Float64Array): void;
}

/**
 * Radix-2 transforms that never reorder: they suit convolutions, where it does not matter in which order the frequencies stand.
 *
 * Rounding: with r = `relativeError`, each element of a transform errs by at most r times the sum of all |x_j|, and the error of either
 * transform has a Euclidean norm of at most r times that of the result. An element is a sum over one path from each x_j, whose log2(size)
 * stages err by an addition (2^-53), a complex product (√5 times as much) and a root of unity (2 times as much).
 *
 * @param size a power of two, at least 2 and at most 2^26.
 * @throws {RangeError} for any other size; the transforms throw it for a vector of another length.
 * @see Gentleman, Sande 1966, Fast Fourier Transforms: for Fun and Profit
 * @see Higham 2002, Accuracy and Stability of Numerical Algorithms, section 24.1
 */
export function createFft(size: number): Fft {
  if (!(size >= 2 && size <= 2 ** 26 && Number.isInteger(Math.log2(size)))) {
    throw new RangeError(`size must be a power of two from 2 to 2^26, got ${size}`);
  }
  // The roots that blocks of `block` elements need lie side by side: exp(−2πi k / block) at block/2 + k.
  const cos = new Float64Array(size);
  const sin = new Float64Array(size);
  for (let k = 0; k < size / 2; k++) {
    cos[size / 2 + k] = cosine(k, size);
    sin[size / 2 + k] = cosine(k + size / 4, size);
  }
  for (let i = size / 2 - 1; i > 0; i--) {
    // exp(−2πi k / (block/2)) = exp(−2πi 2k / block)
    cos[i] = at(cos, 2 * i);
    sin[i] = at(sin, 2 * i);
  }

  return {
    size,
    relativeError: 6 * 2 ** -53 * Math.log2(size),
    transform(re, im) {
      checkLengths(re, im);
      split(re, im, 0, size);
    },
    invert(re, im) {
      checkLengths(re, im);
      join(re, im, 0, size);
      for (let j = 0; j < size; j++) {
        re[j] = at(re, j) / size;
        im[j] = at(im, j) / size;
      }
    },
  };

  function checkLengths(re: Float64Array, im: Float64Array): void {
    if (re.length !== size || im.length !== size) {
      throw new RangeError(`vectors must have ${size} elements, got ${re.length} and ${im.length}`);
    }
  }

  // Depth first, so that a block stays in the processor's cache until it is done.
  function split(re: Float64Array, im: Float64Array, start: number, block: number): void {
    const half = block / 2;
    for (let k = 0; k < half; k++) {
      const a = start + k;
      const b = a + half;
      const reDifference = at(re, a) - at(re, b);
      const imDifference = at(im, a) - at(im, b);
      re[a] = at(re, a) + at(re, b);
      im[a] = at(im, a) + at(im, b);
      re[b] = reDifference * at(cos, half + k) - imDifference * at(sin, half + k);
      im[b] = reDifference * at(sin, half + k) + imDifference * at(cos, half + k);
    }
    if (half === 1) return;
    split(re, im, start, half);
    split(re, im, start + half, half);
  }

  function join(re: Float64Array, im: Float64Array, start: number, block: number): void {
    const half = block / 2;
    if (half > 1) {
      join(re, im, start, half);
      join(re, im, start + half, half);
    }
    for (let k = 0; k < half; k++) {
      const a = start + k;
      const b = a + half;
      const reTurned = at(re, b) * at(cos, half + k) + at(im, b) * at(sin, half + k);
      const imTurned = at(im, b) * at(cos, half + k) - at(re, b) * at(sin, half + k);
      re[b] = at(re, a) - reTurned;
      im[b] = at(im, a) - imTurned;
      re[a] = at(re, a) + reTurned;
      im[a] = at(im, a) + imTurned;
    }
  }
}

/** cos(2π k / size) for 0 ≤ k < size, from an angle of at most π/4: larger ones would carry larger rounding errors. */
function cosine(k: number, size: number): number {
  if (k > size / 2) return cosine(size - k, size);
  if (k > size / 4) return -cosine(size / 2 - k, size);
  return k > size / 8
    ? Math.sin((2 * Math.PI * (size / 4 - k)) / size)
    : Math.cos((2 * Math.PI * k) / size);
}

/** An element inside of the bounds. */
function at(values: Float64Array, index: number): number {
  return values[index] as number;
}
