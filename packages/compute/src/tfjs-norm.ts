import * as tf from '@tensorflow/tfjs-core';
import type { NormGeometry } from './graph.ts';
import { poolAlong } from './tfjs-axis.ts';
import type { Kernels } from './tfjs-kernel.ts';

/** The mean of every sample's channels, [N, 1, C], of `x` as held. */
function channelMeans(x: tf.Tensor): tf.Tensor {
  const [n = 1] = x.shape;
  let mean = x;
  // Axis by axis, so that rounding does not pile up over one long row.
  for (let axis = x.rank - 2; axis > 0; axis--) {
    mean = poolAlong(mean, axis, mean.shape[axis] ?? 1, 'avg');
  }
  return tf.reshape(mean, [n, 1, x.shape.at(-1) ?? 1]);
}

/** The sum of each sample's channels, [N, 1, C]. */
export function channelSums(x: tf.Tensor): tf.Tensor {
  const [n = 1] = x.shape;
  return tf.mul(channelMeans(x), x.size / (n * (x.shape.at(-1) ?? 1)));
}

/** The mean over every group of neighbouring channels of [N, 1, C], again for each channel. */
function groupMeans(x: tf.Tensor, groups: number): tf.Tensor {
  const [n = 1, , channels = 1] = x.shape;
  const mean = tf.mean(tf.reshape(x, [n, groups, channels / groups]), 2, true);
  return tf.reshape(tf.mul(mean, tf.ones([1, 1, channels / groups])), [n, 1, channels]);
}

/** What every group of every sample has: `x` − mean, [N, P, C], and 1 / √(variance + ε), [N, 1, C]. In two passes, as the mean may be far from 0. */
function centred(
  x: tf.Tensor,
  { groups, epsilon }: NormGeometry,
): { difference: tf.Tensor; inverse: tf.Tensor } {
  const flat = flatten(x);
  const difference = tf.sub(flat, groupMeans(channelMeans(x), groups));
  const squares = tf.reshape(tf.mul(difference, difference), x.shape);
  const variance = groupMeans(channelMeans(squares), groups);
  return { difference, inverse: tf.div(1, tf.sqrt(tf.add(variance, epsilon))) };
}

/** [N, P, C]. */
function flatten(x: tf.Tensor): tf.Tensor {
  const [n = 1] = x.shape;
  return tf.reshape(x, [n, -1, x.shape.at(-1) ?? 1]);
}

/** Group norm, its gradients, and the sum over all but the channels. */
export const normKernels: Kernels<
  'channelSum' | 'groupNorm' | 'groupNormScaleGradient' | 'groupNormInputGradient'
> = {
  channelSum: ({ inputs: [x], examples }, { tensor }) =>
    sumSamples(channelSums(tensor(x)), examples),
  groupNorm: (node, { tensor }) => {
    const [x, scale, shift] = node.inputs;
    const { difference, inverse } = centred(tensor(x), node);
    const y = tf.add(tf.mul(difference, tf.mul(inverse, tensor(scale))), tensor(shift));
    return tf.reshape(y, tensor(x).shape);
  },
  // Σ dy · x̂.
  groupNormScaleGradient: (node, { tensor }) => {
    const [x, dy] = node.inputs;
    const { difference, inverse } = centred(tensor(x), node);
    const product = tf.reshape(tf.mul(flatten(tensor(dy)), difference), tensor(x).shape);
    return sumSamples(tf.mul(channelSums(product), inverse), node.examples);
  },
  // r · (g − mean(g) − x̂ · mean(g · x̂)) with g = dy · scale, the means over a group.
  groupNormInputGradient: (node, { tensor }) => {
    const [x, scale, dy] = node.inputs;
    const { difference, inverse } = centred(tensor(x), node);
    const g = tf.mul(flatten(tensor(dy)), tensor(scale));
    const product = tf.reshape(tf.mul(g, difference), tensor(x).shape);
    const meanG = groupMeans(channelMeans(tf.reshape(g, tensor(x).shape)), node.groups);
    const meanGx = tf.mul(groupMeans(channelMeans(product), node.groups), inverse);
    const along = tf.mul(difference, tf.mul(inverse, meanGx));
    return tf.reshape(tf.mul(tf.sub(tf.sub(g, meanG), along), inverse), tensor(x).shape);
  },
};

/** [N, 1, C] to [C], or to [examples, C]. */
function sumSamples(x: tf.Tensor, examples: number | null): tf.Tensor {
  if (examples === null) return tf.sum(x, [0, 1]);
  const [n = 1, , channels = 1] = x.shape;
  return tf.sum(tf.reshape(x, [examples, n / examples, channels]), 1);
}
