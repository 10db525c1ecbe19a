import * as tf from '@tensorflow/tfjs-core';
import {
  interpolateAlong,
  interpolateTransposed,
  padAlong,
  poolAlong,
  repeatAlong,
  sliceAlong,
} from './tfjs-axis.ts';
import type { Kernels } from './tfjs-kernel.ts';
import { heldAxis, holdTensor, releaseTensor } from './tfjs-layout.ts';

// Spatial axes of a held image begin at 1.

function pool(x: tf.Tensor, size: readonly number[], kind: 'max' | 'avg'): tf.Tensor {
  return size.reduce((image, window, place) => poolAlong(image, place + 1, window, kind), x);
}

function repeat(x: tf.Tensor, factor: readonly number[]): tf.Tensor {
  return factor.reduce((image, times, place) => repeatAlong(image, place + 1, times), x);
}

/** A window's gradient in equal shares to all places that hold its maximum. */
function maxPoolGradient(x: tf.Tensor, dy: tf.Tensor, size: readonly number[]): tf.Tensor {
  const below = tf.sub(repeat(pool(x, size, 'max'), size), x);
  // Not `equal`, whose result would have to be converted value by value.
  const largest = tf.sub(1, tf.step(below));
  const share = tf.div(dy, tf.mul(pool(largest, size, 'avg'), window(size)));
  return tf.mul(largest, repeat(share, size));
}

function window(size: readonly number[]): number {
  return size.reduce((product, length) => product * length, 1);
}

/** Pools, upsampling, and what joins, divides and reshapes images. */
export const imageKernels: Kernels<
  | 'maxPool'
  | 'avgPool'
  | 'maxPoolGradient'
  | 'upsample'
  | 'upsampleBilinear2d'
  | 'upsampleBilinear2dGradient'
  | 'concat'
  | 'slice'
  | 'pad'
  | 'reshape'
> = {
  maxPool: ({ inputs: [x], size }, { tensor }) => pool(tensor(x), size, 'max'),
  avgPool: ({ inputs: [x], size }, { tensor }) => pool(tensor(x), size, 'avg'),
  maxPoolGradient: ({ inputs: [x, dy], size }, { tensor }) =>
    maxPoolGradient(tensor(x), tensor(dy), size),
  upsample: ({ inputs: [x], factor }, { tensor }) => repeat(tensor(x), factor),
  upsampleBilinear2d: ({ inputs: [x] }, { tensor }) =>
    interpolateAlong(interpolateAlong(tensor(x), 1), 2),
  upsampleBilinear2dGradient: ({ inputs: [dy] }, { tensor }) =>
    interpolateTransposed(interpolateTransposed(tensor(dy), 2), 1),
  concat: ({ inputs }, { tensor }) => tf.concat(inputs.map(tensor), -1),
  slice: ({ inputs: [x], axis, from, to }, { tensor }) =>
    sliceAlong(tensor(x), heldAxis(axis, tensor(x).rank), from, to),
  pad: ({ inputs: [x], axis, before, after }, { tensor }) =>
    padAlong(tensor(x), heldAxis(axis, tensor(x).rank), before, after),
  reshape: ({ inputs: [x], shape }, { tensor }) =>
    holdTensor(tf.reshape(releaseTensor(tensor(x)), [...shape])),
};
