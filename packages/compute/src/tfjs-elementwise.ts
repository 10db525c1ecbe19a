import * as tf from '@tensorflow/tfjs-core';
import type { Kernels } from './tfjs-kernel.ts';
import { heldShape } from './tfjs-layout.ts';

/** The sum of all values, a scalar. Axis by axis, so that rounding does not pile up over one long row. */
export function sumAll(x: tf.Tensor): tf.Tensor {
  let sum = tf.clone(x);
  while (sum.rank > 0) sum = tf.sum(sum, -1);
  return sum;
}

/** Operators that work value by value, and the sums over all values. */
export const elementwiseKernels: Kernels<
  | 'constant'
  | 'add'
  | 'addChannels'
  | 'mul'
  | 'scale'
  | 'relu'
  | 'silu'
  | 'sigmoid'
  | 'leakyRelu'
  | 'softmax'
  | 'reluGradient'
  | 'leakyReluGradient'
  | 'softmaxGradient'
  | 'siluGradient'
  | 'sigmoidGradient'
  | 'sum'
  | 'mean'
  | 'fill'
> = {
  constant: ({ value, shape }) => tf.fill(heldShape(shape), value, 'float32'),
  add: ({ inputs: [a, b] }, { tensor }) => tf.add(tensor(a), tensor(b)),
  // Channels are the last axis of what is held.
  addChannels: ({ inputs: [x, b] }, { tensor }) => tf.add(tensor(x), tensor(b)),
  mul: ({ inputs: [a, b] }, { tensor }) => tf.mul(tensor(a), tensor(b)),
  scale: ({ inputs: [x], factor }, { tensor }) => tf.mul(tensor(x), factor),
  relu: ({ inputs: [x] }, { tensor }) => tf.relu(tensor(x)),
  sigmoid: ({ inputs: [x] }, { tensor }) => tf.sigmoid(tensor(x)),
  silu: ({ inputs: [x] }, { tensor }) => tf.mul(tensor(x), tf.sigmoid(tensor(x))),
  leakyRelu: ({ inputs: [x], slope }, { tensor }) => tf.leakyRelu(tensor(x), slope),
  softmax: ({ inputs: [x] }, { tensor }) => tf.softmax(tensor(x), -1),
  // y · (dy − Σ dy·y), with the sum along the channels.
  softmaxGradient: ({ inputs: [y, dy] }, { tensor }) => {
    const dot = tf.sum(tf.mul(tensor(dy), tensor(y)), -1, true);
    return tf.mul(tensor(y), tf.sub(tensor(dy), dot));
  },
  leakyReluGradient: ({ inputs: [y, dy], slope }, { tensor }) =>
    tf.mul(tensor(dy), tf.step(tensor(y), slope)),
  reluGradient: ({ inputs: [y, dy] }, { tensor }) => tf.mul(tensor(dy), tf.step(tensor(y))),
  sigmoidGradient: ({ inputs: [y, dy] }, { tensor }) =>
    tf.mul(tensor(dy), tf.mul(tensor(y), tf.sub(1, tensor(y)))),
  // dy · s · (1 + x · (1 − s)), s = sigmoid(x).
  siluGradient: ({ inputs: [x, dy] }, { tensor }) => {
    const s = tf.sigmoid(tensor(x));
    const slope = tf.mul(s, tf.add(tf.mul(tensor(x), tf.sub(1, s)), 1));
    return tf.mul(tensor(dy), slope);
  },
  sum: ({ inputs: [x] }, { tensor }) => sumAll(tensor(x)),
  mean: ({ inputs: [x] }, { tensor }) => tf.div(sumAll(tensor(x)), tensor(x).size),
  fill: ({ inputs: [x], shape }, { tensor }) => tf.mul(tf.ones(heldShape(shape)), tensor(x)),
};
