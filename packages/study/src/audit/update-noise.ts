import type { GridVector, TensorSlot } from '@consilium/weights';
import type { AcceptedUpdate } from '../decide.ts';
import type { NoiseTerms } from './noise-terms.ts';

/** What is kept of one private update, over the trained tensors: a few kilobytes, whatever its size. */
export interface UpdateNoise {
  readonly update: AcceptedUpdate;
  /** Private steps that it says it took. */
  readonly steps: number;
  /** The largest and the smallest cohort that its member has declared as a trainer. */
  readonly mostPatients: number;
  readonly leastPatients: number;
  /** For each trained tensor, the sum of its squared values. */
  readonly tensorSquares: readonly number[];
  /** Of all. */
  readonly squares: number;
  /** The largest magnitude. */
  readonly peak: number;
  /** The coarsest step that its payload was rounded to. */
  readonly coarsestStep: number;
  readonly sketch: Float64Array;
}

const sketchLength = 1024;
/** Values that go into a sketch at most: more would take time and tell little more. */
const mostSketched = 2 ** 16;

/**
 * Condenses an update. The sketch is a linear map of it, the same for every update of a study: each value, or each k-th of very many, is added, with a sign, into one of 1,024 sums. Inner
 * products of sketches estimate those of updates: for sketches of unit length within some 0.03 (one standard deviation).
 *
 * @see Charikar, Chen, Farach-Colton 2002, Finding Frequent Items in Data Streams
 */
export function condense(
  terms: NoiseTerms,
  sent: GridVector,
): Pick<UpdateNoise, 'coarsestStep' | 'peak' | 'sketch' | 'squares' | 'tensorSquares'> {
  const sketch = new Float64Array(sketchLength);
  const stride = Math.ceil(terms.coordinates / mostSketched);
  let peak = 0;
  let coarsestStep = 0;
  const tensorSquares = terms.trained.map((slot) => {
    const t = sent.layout.tensors.findIndex(({ name }) => name === slot.name);
    const step = 2 ** (sent.exponents[t] as number);
    const { squares, largest } = momentOf(sent.values, slot);
    addSketch(sketch, sent.values, slot, { step, stride });
    peak = Math.max(peak, largest * step);
    coarsestStep = Math.max(coarsestStep, step);
    return squares * step * step;
  });
  const squares = tensorSquares.reduce((sum, each) => sum + each, 0);
  return { tensorSquares, squares, peak, coarsestStep, sketch };
}

function momentOf(
  values: Int32Array,
  { offset, length }: TensorSlot,
): { squares: number; largest: number } {
  let squares = 0;
  let least = 0;
  let most = 0;
  for (let i = offset; i < offset + length; i++) {
    const value = values[i] as number;
    squares += value * value;
    if (value > most) most = value;
    if (value < least) least = value;
  }
  return { squares, largest: Math.max(most, -least) };
}

function addSketch(
  sketch: Float64Array,
  values: Int32Array,
  { offset, length }: TensorSlot,
  { step, stride }: { readonly step: number; readonly stride: number },
): void {
  for (let i = offset; i < offset + length; i += stride) {
    const value = (values[i] as number) * step;
    const hash = mixed(i);
    const slot = hash & (sketchLength - 1);
    sketch[slot] = (sketch[slot] as number) + (hash < 0 ? -value : value);
  }
}

/** A 32-bit number from a coordinate, the same on every machine. @see Appleby, MurmurHash3, finalizer */
function mixed(coordinate: number): number {
  let hash = coordinate | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
