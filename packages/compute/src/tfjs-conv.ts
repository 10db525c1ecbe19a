import * as tf from '@tensorflow/tfjs-core';
import type { ConvGeometry, Summed } from './graph.ts';
import { padAlong, sliceAlong, spreadAlong } from './tfjs-axis.ts';
import { channelGroup, correlate, spatialOf } from './tfjs-correlate.ts';
import type { Kernels } from './tfjs-kernel.ts';

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

/**
 * The gradient of {@link convolve} by its weight, as held: [O, …, C / groups], or [examples, C / groups, …, O].
 * (The wasm backend has no kernel of its own for it.)
 */
function convolveWeightGradient(
  x: tf.Tensor,
  dy: tf.Tensor,
  kernel: readonly number[],
  geometry: ConvGeometry & Summed,
): tf.Tensor {
  const { groups, examples } = geometry;
  const of = (samples: tf.Tensor, gradients: tf.Tensor): tf.Tensor => {
    if (groups === 1) return tapProducts(samples, gradients, kernel, geometry);
    const parts = Array.from({ length: groups }, (_, group) =>
      tf.tidy(() => {
        const [part, dyPart] = [samples, gradients].map((all) => channelGroup(all, group, groups));
        return tapProducts(part ?? samples, dyPart ?? gradients, kernel, geometry);
      }),
    );
    return tf.concat(parts, 2);
  };
  if (examples === null) {
    const product = tf.transpose(of(x, dy), [2, 0, 1]);
    return tf.reshape(product, [product.shape[0] ?? 1, ...kernel, product.shape[2] ?? 1]);
  }
  const size = (x.shape[0] ?? 1) / examples;
  const each = Array.from({ length: examples }, (_, example) =>
    tf.tidy(() => {
      const [from, to] = [example * size, (example + 1) * size];
      return of(sliceAlong(x, 0, from, to), sliceAlong(dy, 0, from, to));
    }),
  );
  const product = tf.transpose(tf.stack(each), [0, 2, 1, 3]);
  return tf.reshape(product, [examples, product.shape[1] ?? 1, ...kernel, product.shape[3] ?? 1]);
}

/**
 * One matrix product for each tap of the kernel, [taps, C, O]: the input shifted by the tap, [C, P], times `dy` [P, O], P being the places of
 * all samples.
 */
function tapProducts(
  x: tf.Tensor,
  dy: tf.Tensor,
  kernel: readonly number[],
  { stride, padding, dilation }: ConvGeometry,
): tf.Tensor {
  const channels = x.shape.at(-1) ?? 1;
  const out = dy.shape.at(-1) ?? 1;
  const [n = 1] = x.shape;
  const places = dy.size / out;
  const first = tf.transpose(tf.reshape(x, [x.size / channels, channels]), [1, 0]);
  let padded: tf.Tensor = tf.reshape(first, [channels * n, ...spatialOf(x)]);
  for (const place of kernel.keys()) padded = padAlong(padded, place + 1, padding, padding);

  const shiftedBy = (tap: readonly number[]): tf.Tensor2D => {
    const begin = [0, ...tap.map((step) => step * dilation)];
    const reach = spatialOf(dy).map((size) => (size - 1) * stride + 1);
    const end = [channels * n, ...reach.map((length, axis) => (begin[axis + 1] ?? 0) + length)];
    const shifted =
      stride === 1
        ? tf.slice(padded, begin, [channels * n, ...reach])
        : tf.stridedSlice(padded, begin, end, [1, ...reach.map(() => stride)]);
    return tf.reshape(shifted, [channels, places]);
  };
  const rows: tf.Tensor2D = tf.reshape(dy, [places, out]);
  const products = chunks(tapsOf(kernel), Math.max(1, Math.floor(16 / channels))).map((taps) =>
    // Few channels make few rows: those of several taps then go into one product.
    tf.tidy(() => tf.matMul(tf.concat(taps.map(shiftedBy), 0), rows)),
  );
  return tf.reshape(tf.concat(products, 0), [-1, channels, out]);
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

/** Every place of a kernel, row-major. */
function tapsOf(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (taps, size) =>
      taps.flatMap((tap) => Array.from({ length: size }, (_, step) => [...tap, step])),
    [[]],
  );
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
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
