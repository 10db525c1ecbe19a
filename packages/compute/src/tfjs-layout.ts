import * as tf from '@tensorflow/tfjs-core';
import type { Shape } from './graph.ts';

/**
 * How the engine holds a tensor of the graph: from three dimensions on, the second (channels) moved to the end, which is the only order
 * that the kernels for convolutions and pools have. `[N, C, H, W]` is held as `[N, H, W, C]`, a weight `[O, C, K, K]` as
 * `[O, K, K, C]`. One rule for every tensor, so that any value may meet any other in an operator that works value by value.
 */
export function heldShape(shape: Shape): number[] {
  const [n = 1, c = 1, ...spatial] = shape;
  return shape.length < 3 ? [...shape] : [n, ...spatial, c];
}

/** Where a tensor with `rank` dimensions, as held, has the graph's `axis`. */
export function heldAxis(axis: number, rank: number): number {
  if (rank < 3 || axis === 0) return axis;
  return axis === 1 ? rank - 1 : axis - 1;
}

/** Values in the graph's order, row-major, as held. */
export function hold(values: Float32Array, shape: Shape): tf.Tensor {
  return holdTensor(tf.tensor(values, [...shape], 'float32'));
}

/** A tensor in the graph's order, as held. */
export function holdTensor(x: tf.Tensor): tf.Tensor {
  if (x.rank < 3) return tf.clone(x);
  return tf.transpose(x, [0, ...axesFrom(2, x.rank), 1]);
}

/** A held tensor in the graph's order. */
export function releaseTensor(held: tf.Tensor): tf.Tensor {
  if (held.rank < 3) return tf.clone(held);
  return tf.transpose(held, [0, held.rank - 1, ...axesFrom(1, held.rank - 1)]);
}

function axesFrom(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, axis) => from + axis);
}
