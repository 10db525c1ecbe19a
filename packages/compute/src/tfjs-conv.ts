import * as tf from '@tensorflow/tfjs-core';
import type { ConvGeometry } from './graph.ts';
import { padAlong, spreadAlong } from './tfjs-axis.ts';
import { correlate, spatialOf } from './tfjs-correlate.ts';
import type { Kernels } from './tfjs-kernel.ts';
import { convolveWeightGradient } from './tfjs-weight-gradient.ts';

/** Cross-correlation of `x` [N, …, C] with `w` [O, …, C / groups], both as held. */
function convolve(x: tf.Tensor, w: tf.Tensor, geometry: ConvGeometry): tf.Tensor {
  const { padding } = geometry;
  const pads = spatialOf(x).map(() => [padding, padding] as const);
  return correlate(x, w, pads, geometry);
}

/**
 * The transpose of {@link convolve}: `y` [N, …, O] back to an input whose spatial size is `spatial`, [N, …, C].
 *
 * As a convolution of stride 1 with the kernels turned round and their channels exchanged, over `y` with zeros between its entries
 * where the stride leaves some out: the wasm backend's own kernel for it computes value by value.
 */
function convolveTransposed(
  y: tf.Tensor,
  w: tf.Tensor,
  spatial: readonly number[],
  { stride, padding, dilation, groups }: ConvGeometry,
): tf.Tensor {
  const kernel = spatialOf(w);
  let spread = y;
  const pads: [number, number][] = [];
  for (const [place, size] of spatial.entries()) {
    const axis = place + 1;
    const reach = dilation * ((kernel[place] ?? 1) - 1);
    const before = reach - padding;
    spread = spreadAlong(spread, axis, stride);
    const after = size + reach - before - (spread.shape[axis] ?? 1);
    // Negative where values, or zeros that were put in, lie beyond the image.
    if (Math.min(before, after) < 0) {
      spread = padAlong(spread, axis, Math.min(before, 0), Math.min(after, 0));
    }
    pads.push([Math.max(before, 0), Math.max(after, 0)]);
  }
  return correlate(spread, turned(w, groups), pads, { stride: 1, dilation, groups });
}

/** [O, …, C / groups] to [C, …, O / groups], every kernel turned round. */
function turned(w: tf.Tensor, groups: number): tf.Tensor {
  const kernel = spatialOf(w);
  const taps = kernel.reduce((product, size) => product * size, 1);
  const [out = 1] = w.shape;
  const channels = w.shape.at(-1) ?? 1;
  const grouped = tf.reshape(w, [groups, out / groups, taps, channels]);
  // Row-major, so that turning every axis is turning the taps' order.
  const reversed = tf.reverse(tf.transpose(grouped, [0, 3, 2, 1]), 2);
  return tf.reshape(reversed, [groups * channels, ...kernel, out / groups]);
}

/** Convolutions over two or three axes, their transposes and their gradients by the weight. */
export const convKernels: Kernels<'conv' | 'convTranspose' | 'convWeightGradient'> = {
  conv: (node, { tensor }) => {
    const [x, w, b] = node.inputs;
    const y = convolve(tensor(x), tensor(w), node);
    return b === undefined ? y : tf.add(y, tensor(b));
  },
  convTranspose: (node, { tensor }) => {
    const [y, w] = node.inputs;
    return convolveTransposed(tensor(y), tensor(w), node.shape.slice(2), node);
  },
  convWeightGradient: (node, { tensor }) => {
    const [x, dy] = node.inputs;
    const kernel = node.shape.slice(node.examples === null ? 2 : 3);
    return convolveWeightGradient(tensor(x), tensor(dy), kernel, node);
  },
};
