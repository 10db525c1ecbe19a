import { createHash } from 'node:crypto';
import { WeightsError } from './error.ts';

/** A tensor's name and its shape, outermost dimension first. */
export interface TensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A tensor's place in the flat vector: `length` values from `offset`, row-major. */
export interface TensorSlot extends TensorSpec {
  readonly offset: number;
  readonly length: number;
}

/**
 * Where every named tensor lies in one flat vector of `length` float32 values.
 * Two layouts with equal digests describe the same names and shapes in the same order.
 */
export interface Layout {
  readonly tensors: readonly TensorSlot[];
  readonly length: number;
  /** SHA-256 (hex) over names and shapes in order; see {@link createLayout}. */
  readonly digest: string;
}

/** The most tensors and values that a layout may have; a bound on what a stranger's manifest can cost. */
export const layoutLimits: { readonly tensors: number; readonly values: number } = {
  tensors: 4096,
  values: 2 ** 25,
};

const namePattern = /^[A-Za-z0-9_][A-Za-z0-9_./-]{0,127}$/;
const localPrefix = 'site/';

/**
 * Lays `specs` out one behind the other, in the order given.
 *
 * The digest is SHA-256 over `consilium/layout/1\n` and the JSON text `[[name,[dim,…]],…]` without spaces;
 * names hold no character that JSON would escape, so that text is unique.
 *
 * @throws {WeightsError} `BAD_LAYOUT` for a name outside `[A-Za-z0-9_./-]{1,128}`, a name used twice, a dimension that is
 * not a positive integer, or more than {@link layoutLimits}.
 */
export function createLayout(specs: readonly TensorSpec[]): Layout {
  if (specs.length > layoutLimits.tensors) {
    throw new WeightsError(
      'BAD_LAYOUT',
      `${specs.length} tensors, at most ${layoutLimits.tensors}`,
    );
  }
  const names = new Set<string>();
  const tensors: TensorSlot[] = [];
  let length = 0;
  for (const { name, shape } of specs) {
    if (!namePattern.test(name))
      throw new WeightsError('BAD_LAYOUT', 'a tensor name has a character outside A-Za-z0-9_./-');
    if (names.has(name)) throw new WeightsError('BAD_LAYOUT', `tensor ${name} appears twice`);
    if (shape.length > 8 || !shape.every((dim) => Number.isSafeInteger(dim) && dim > 0)) {
      throw new WeightsError(
        'BAD_LAYOUT',
        `tensor ${name} has shape [${shape.slice(0, 9).join(', ')}]`,
      );
    }
    names.add(name);
    const size = shape.reduce((product, dim) => product * dim, 1);
    tensors.push({ name, shape: [...shape], offset: length, length: size });
    length += size;
    if (length > layoutLimits.values) {
      throw new WeightsError(
        'BAD_LAYOUT',
        `more than ${layoutLimits.values} values at tensor ${name}`,
      );
    }
  }
  const text = JSON.stringify(tensors.map(({ name, shape }) => [name, shape]));
  const digest = createHash('sha256').update('consilium/layout/1\n').update(text).digest('hex');
  return { tensors, length, digest };
}

/** Whether a tensor belongs to the site alone and is never sent: its name starts with `site/`. */
export function isLocal(name: string): boolean {
  return name.startsWith(localPrefix);
}

/** Splits a whole layout into what the network shares and what stays at the site, each in the whole's order. */
export function splitLayout(layout: Layout): { shared: Layout; local: Layout } {
  return {
    shared: createLayout(layout.tensors.filter(({ name }) => !isLocal(name))),
    local: createLayout(layout.tensors.filter(({ name }) => isLocal(name))),
  };
}

/**
 * Copies the tensors of `part` out of a vector in `whole` layout.
 * @throws {WeightsError} `LAYOUT_MISMATCH` when `vector` is not of the whole's length, or a tensor of `part` is not in it with the same shape.
 */
export function takePart(whole: Layout, part: Layout, vector: Float32Array): Float32Array {
  const values = new Float32Array(part.length);
  for (const [from, to] of slotPairs(whole, part, vector)) {
    values.set(vector.subarray(from.offset, from.offset + from.length), to.offset);
  }
  return values;
}

/**
 * Writes `values`, in `part` layout, over the same tensors of `vector`, in `whole` layout. In place.
 * @throws {WeightsError} `LAYOUT_MISMATCH` as {@link takePart}, and when `values` is not of the part's length.
 */
export function putPart(
  whole: Layout,
  part: Layout,
  vector: Float32Array,
  values: Float32Array,
): void {
  checkLength(part, values);
  for (const [to, from] of slotPairs(whole, part, vector)) {
    vector.set(values.subarray(from.offset, from.offset + from.length), to.offset);
  }
}

/** @throws {WeightsError} `LAYOUT_MISMATCH` unless `vector` has one value for each of the layout's. */
export function checkLength(layout: Layout, vector: { readonly length: number }): void {
  if (vector.length !== layout.length) {
    throw new WeightsError(
      'LAYOUT_MISMATCH',
      `${vector.length} values where the layout has ${layout.length}`,
    );
  }
}

function* slotPairs(
  whole: Layout,
  part: Layout,
  vector: Float32Array,
): Iterable<[TensorSlot, TensorSlot]> {
  checkLength(whole, vector);
  const byName = new Map(whole.tensors.map((slot) => [slot.name, slot]));
  for (const slot of part.tensors) {
    const other = byName.get(slot.name);
    if (other === undefined || other.shape.join() !== slot.shape.join()) {
      throw new WeightsError(
        'LAYOUT_MISMATCH',
        `tensor ${slot.name} is not in the whole layout with that shape`,
      );
    }
    yield [other, slot];
  }
}
