import type { PrivacyEvent } from './event.ts';
import { createFft } from './fft.ts';
import { connectDots, type TiltedMasses } from './pld-dots.ts';
import { type LossGrid, placeOf } from './pld-grid.ts';
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
  const total = { re: new Float64Array(size).fill(1), im: new Float64Array(size) };
  let logScale = 0;
  let origin = 0;
  let errorNorm = 0;
  let steps = 0;
  for (const event of history) {
    const dots = connectDots(event, direction, grid);
    // The largest mass moves to 0, where its transform is itself. At small q it is nearly one, and would dominate the rounding error.
    const largest = indexOfLargest(dots.mass);
    const atom = dots.mass[largest] as number;
    const factor = { re: rotate(dots.mass, -largest), im: new Float64Array(size) };
    factor.re[0] = 0;
    const restNorm = norm(factor.re);
    fft.transform(factor.re, factor.im);
    for (let k = 0; k < size; k++) factor.re[k] = (factor.re[k] as number) + atom;
    // An error in the factor comes `steps` times, each time with the others' power, which is at most one and often far below.
    const othersNorm = multiplyByPower(total, factor, event.steps) / Math.sqrt(size);
    errorNorm += event.steps * fft.relativeError * Math.min(restNorm, (1 - atom) * othersNorm);
    logScale += event.steps * dots.logScale;
    origin = placeOf(origin + (event.steps % size) * largest, size);
    steps += event.steps;
  }
  fft.invert(total.re, total.im);
  // Besides, powers and products of what is at most one err by this much for each step; and so does the transform back.
  errorNorm += (8 * 2 ** -53 * steps + fft.relativeError) * norm(total.re);
  return { mass: rotate(total.re, origin).map((m) => Math.max(0, m)), logScale, errorNorm };
}

/** The vector of which element (i + by) mod length is `values[i]`. */
function rotate(values: Float64Array, by: number): Float64Array {
  const start = placeOf(by, values.length);
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

interface ComplexVector {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/**
 * Multiplies `total`, element by element, by `factor` to the power of a positive whole number.
 *
 * Returns the Euclidean norm of `factor` to that power less one.
 */
function multiplyByPower(total: ComplexVector, factor: ComplexVector, exponent: number): number {
  let squares = 0;
  for (let k = 0; k < factor.re.length; k++) {
    const x = factor.re[k] as number;
    const y = factor.im[k] as number;
    const logSize = Math.log(x * x + y * y) / 2;
    squares += exponent > 1 ? Math.exp(2 * (exponent - 1) * logSize) : 1;
    // After many steps nearly every element is far below any rounding error.
    const size = exponent * logSize < -100 ? 0 : Math.exp(exponent * logSize);
    const angle = size === 0 ? 0 : exponent * Math.atan2(y, x);
    const a = total.re[k] as number;
    const b = total.im[k] as number;
    const c = size * Math.cos(angle);
    const d = size * Math.sin(angle);
    total.re[k] = a * c - b * d;
    total.im[k] = a * d + b * c;
  }
  return Math.sqrt(squares);
}
