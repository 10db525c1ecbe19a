import type { PrivacyEvent } from './event.ts';
import { createFft } from './fft.ts';
import { connectDots, type TiltedMasses } from './pld-dots.ts';
import type { LossGrid } from './pld-grid.ts';
import type { Direction } from './pld-loss.ts';

/** The distribution of the total loss of a history, with what its computation may have got wrong. */
export interface ComposedLoss extends TiltedMasses {
  /** Upper bound of the Euclidean norm of the error that rounding left in `mass`. */
  readonly errorNorm: number;
}

/**
 * The sum of the losses of all steps: their masses are convolved, as powers and products of Fourier transforms.
 *
 * Losses are taken modulo the window. What lies below it appears at its upper end, which can only raise δ; what lies above it, and would
 * appear at its lower end, the grid has counted as lost. Masses that rounding made negative become zero.
 *
 * @see Koskela, Jälkö, Honkela 2020, Computing Tight Differential Privacy Guarantees Using FFT
 * @see Schaller, Temnov 2008, Efficient and precise computation of convolutions, for transforms under a tilted measure
 */
export function composeLosses(
  history: readonly PrivacyEvent[],
  direction: Direction,
  grid: LossGrid,
): ComposedLoss {
  const { size } = grid;
  const fft = createFft(size);
  const re = new Float64Array(size).fill(1);
  const im = new Float64Array(size);
  let logScale = 0;
  let origin = 0;
  let errorNorm = 0;
  let multiplications = 0;
  for (const event of history) {
    const dots = connectDots(event, direction, grid);
    // The largest mass moves to 0, where its transform is itself. At small q it is nearly one, and would dominate the rounding error.
    const largest = indexOfLargest(dots.mass);
    const atom = dots.mass[largest] as number;
    const reFactor = rotate(dots.mass, -largest);
    const imFactor = new Float64Array(size);
    reFactor[0] = 0;
    errorNorm += event.steps * transformError(size) * norm(reFactor);
    fft.transform(reFactor, imFactor);
    for (let k = 0; k < size; k++) reFactor[k] = (reFactor[k] as number) + atom;
    multiplyByPower(re, im, reFactor, imFactor, event.steps);
    logScale += event.steps * dots.logScale;
    origin = (origin + (event.steps % size) * largest) % size;
    multiplications += event.steps;
  }
  fft.invert(re, im);
  const mass = rotate(re, origin).map((m) => Math.max(0, m));
  // No transform of masses that add up to one is larger than one, so that the errors of the factors add up, each times its power.
  errorNorm += (transformError(size) + 4 * 2 ** -53 * multiplications) * norm(re);
  return { mass, logScale, errorNorm };
}

/** Relative error of a transform's Euclidean norm: see `createFft`. */
function transformError(size: number): number {
  return 8 * 2 ** -53 * Math.log2(size);
}

/** The vector of which element (i + by) mod length is `values[i]`. */
function rotate(values: Float64Array, by: number): Float64Array {
  const start = (by + values.length) % values.length;
  const rotated = new Float64Array(values.length);
  rotated.set(values.subarray(0, values.length - start), start);
  rotated.set(values.subarray(values.length - start), 0);
  return rotated;
}

function indexOfLargest(values: Float64Array): number {
  return values.reduce((best, value, i) => (value > (values[best] as number) ? i : best), 0);
}

function norm(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

/** Multiplies the first complex vector, element by element, by the second one to the power `exponent`; the second one is used up. */
function multiplyByPower(
  re: Float64Array,
  im: Float64Array,
  reBase: Float64Array,
  imBase: Float64Array,
  exponent: number,
): void {
  for (let rest = exponent; ; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) multiply(re, im, reBase, imBase);
    if (rest <= 1) return;
    multiply(reBase, imBase, reBase, imBase);
  }
}

function multiply(
  re: Float64Array,
  im: Float64Array,
  reFactor: Float64Array,
  imFactor: Float64Array,
): void {
  for (let k = 0; k < re.length; k++) {
    const a = re[k] as number;
    const b = im[k] as number;
    const c = reFactor[k] as number;
    const d = imFactor[k] as number;
    re[k] = a * c - b * d;
    im[k] = a * d + b * c;
  }
}
