import { createHash } from 'node:crypto';
import { littleEndianBytes } from './bytes.ts';
import { WeightsError } from './error.ts';
import { checkLength, type Layout } from './layout.ts';

/** Fills `count` unpredictable or seeded bytes; the caller decides which. */
export type RandomBytes = (count: number) => Uint8Array;

/** Width of an update's integers. */
export type GridBits = 8 | 16 | 32;

/**
 * A vector as integers: value `i` of tensor `t` is `values[i] * 2 ** exponents[t]`.
 * Every integer lies in ±(2^(bits-1) - 1).
 */
export interface GridVector {
  readonly layout: Layout;
  readonly bits: GridBits;
  /** One power of two for each tensor, in layout order. */
  readonly exponents: Int8Array;
  readonly values: Int32Array;
}

export interface QuantizeInit {
  readonly bits: GridBits;
  /** The study's finest step is 2^gridExponent; no tensor gets a finer one. Range -126…0. */
  readonly gridExponent: number;
  readonly random: RandomBytes;
  /** What earlier roundings left over (error feedback, Seide et al. 2014); added before rounding. */
  readonly residual?: Float32Array;
}

/**
 * Rounds `vector` to integers, each tensor with the smallest power-of-two step that holds its largest value.
 *
 * Rounding is stochastic: up with the probability of the fraction, so that the result is unbiased. What was rounded away comes
 * back as `residual`, to be given to the next call; over a series of calls the sum of what was sent then differs from
 * the sum of what was meant by one residual only.
 *
 * @throws {WeightsError} `NON_FINITE` for NaN or an infinity, `LAYOUT_MISMATCH` for a wrong length, `OUT_OF_RANGE` when the step would exceed 2^127.
 */
export function quantize(
  layout: Layout,
  vector: Float32Array,
  { bits, gridExponent, random, residual }: QuantizeInit,
): { update: GridVector; residual: Float32Array } {
  checkLength(layout, vector);
  if (residual !== undefined) checkLength(layout, residual);
  const largest = 2 ** (bits - 1) - 1;
  const exponents = new Int8Array(layout.tensors.length);
  const values = new Int32Array(layout.length);
  const left = new Float32Array(layout.length);
  for (const [t, slot] of layout.tensors.entries()) {
    const meant = Float64Array.from({ length: slot.length }, (_, i) => {
      const at = slot.offset + i;
      return (vector[at] as number) + (residual?.[at] ?? 0);
    });
    const exponent = stepExponent(meant, largest, gridExponent, slot.name);
    const step = 2 ** exponent;
    const draws = uniforms(random, slot.length);
    exponents[t] = exponent;
    for (let i = 0; i < slot.length; i++) {
      const scaled = (meant[i] as number) / step;
      const integer = Math.floor(scaled + (draws[i] as number));
      values[slot.offset + i] = integer;
      left[slot.offset + i] = (meant[i] as number) - integer * step;
    }
  }
  return { update: { layout, bits, exponents, values }, residual: left };
}

/**
 * Brings `update` to the study's common grid: integer `n` stands for `n * 2 ** gridExponent`.
 * @throws {WeightsError} `OFF_GRID` when a tensor's step is finer than the grid's, `OUT_OF_RANGE` when a value leaves ±(2^31 - 1).
 */
export function toGrid(update: GridVector, gridExponent: number): Int32Array {
  const { layout, exponents, values } = update;
  checkLength(layout, values);
  const grid = new Int32Array(values);
  for (const [t, slot] of layout.tensors.entries()) {
    const shift = (exponents[t] as number) - gridExponent;
    if (shift < 0)
      throw new WeightsError(
        'OFF_GRID',
        `tensor ${slot.name} has step 2^${exponents[t]}, the grid 2^${gridExponent}`,
      );
    const end = slot.offset + slot.length;
    // What the width allows fits more often than not; then nobody needs to look.
    const mayLeave = (2 ** (update.bits - 1) - 1) * 2 ** shift > 0x7fffffff;
    if (mayLeave && largestMagnitude(values, slot.offset, end) * 2 ** shift > 0x7fffffff)
      throw new WeightsError(
        'OUT_OF_RANGE',
        `a value of tensor ${slot.name} does not fit 32 bits of the grid`,
      );
    // Beyond 30 only zeros have passed, and a shift by 32 would be one by 0.
    if (shift === 0 || shift > 30) continue;
    for (let i = slot.offset; i < end; i++) grid[i] = (grid[i] as number) << shift;
  }
  return grid;
}

function largestMagnitude(values: Int32Array, from: number, to: number): number {
  let least = 0;
  let most = 0;
  for (let i = from; i < to; i++) {
    const value = values[i] as number;
    if (value > most) most = value;
    if (value < least) least = value;
  }
  return Math.max(most, -least);
}

/** The float32 nearest to each grid value. The same on every machine: one correctly rounded conversion each. */
export function fromGrid(grid: Int32Array, gridExponent: number): Float32Array {
  const step = 2 ** gridExponent;
  return Float32Array.from(grid, (value) => value * step);
}

/**
 * Names a model: SHA-256 (hex) over `consilium/weights/1\n`, the layout's digest (32 bytes), the grid exponent (one signed
 * byte) and the integers (32-bit little-endian).
 */
export function weightsDigest(layout: Layout, gridExponent: number, grid: Int32Array): string {
  checkLength(layout, grid);
  return createHash('sha256')
    .update('consilium/weights/1\n')
    .update(layout.digest, 'hex')
    .update(Int8Array.of(gridExponent))
    .update(littleEndianBytes(grid))
    .digest('hex');
}

function stepExponent(
  meant: Float64Array,
  largest: number,
  gridExponent: number,
  name: string,
): number {
  let peak = 0;
  for (const value of meant) {
    if (!Number.isFinite(value))
      throw new WeightsError('NON_FINITE', `tensor ${name} holds ${value}`);
    if (Math.abs(value) > peak) peak = Math.abs(value);
  }
  let exponent = gridExponent;
  while (peak / 2 ** exponent > largest) exponent++;
  if (exponent > 127) throw new WeightsError('OUT_OF_RANGE', `tensor ${name} holds ${peak}`);
  return exponent;
}

/** Uniform on [0, 1) in steps of 2^-32. */
function uniforms(random: RandomBytes, count: number): Float64Array {
  const bytes = random(count * 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: count }, (_, i) => view.getUint32(i * 4, true) / 2 ** 32);
}
