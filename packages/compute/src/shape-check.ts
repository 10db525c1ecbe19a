import { ComputeError } from './error.ts';
import { type Shape, sizeOf } from './graph.ts';

// Every refusal is `BAD_GRAPH` and begins with the layer's name.

/** Refuses a layer. */
export function fail(layer: string, problem: string): never {
  throw new ComputeError('BAD_GRAPH', `${layer}: ${problem}`);
}

/** Positive whole dimensions, of at most 2^31 values. */
export function checkShape(layer: string, shape: Shape): void {
  if (!shape.every((dim) => Number.isSafeInteger(dim) && dim > 0) || sizeOf(shape) > 2 ** 31) {
    fail(layer, `[${shape.join(', ')}] is not a shape`);
  }
}

/** A whole number of at least `least`. */
export function checkCount(layer: string, what: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    fail(layer, `${what} must be a whole number of at least ${least}, got ${value}`);
  }
}

/** Two shapes that must be the same. */
export function checkEqual(layer: string, what: string, got: Shape, wanted: Shape): void {
  if (got.length !== wanted.length || !got.every((dim, axis) => dim === wanted[axis])) {
    fail(layer, `${what} has shape [${got.join(', ')}], wanted [${wanted.join(', ')}]`);
  }
}

/** An image of `least` to `most` spatial axes, taken apart. */
export function checkGrid(
  layer: string,
  shape: Shape,
  least: number,
  most: number,
): [samples: number, channels: number, spatial: readonly number[]] {
  const [n, c, ...spatial] = shape;
  if (n === undefined || c === undefined || spatial.length < least || spatial.length > most) {
    const axes = most === 3 ? '[depth, ]height, width' : 'height, width';
    const wanted = least === 3 ? 'depth, height, width' : axes;
    return fail(layer, `wanted [samples, channels, ${wanted}], got [${shape.join(', ')}]`);
  }
  return [n, c, spatial];
}

/** A positive, finite number. */
export function checkPositive(layer: string, what: string, value: number): void {
  if (!(value > 0 && value < Infinity)) fail(layer, `${what} ${value} is not positive`);
}
