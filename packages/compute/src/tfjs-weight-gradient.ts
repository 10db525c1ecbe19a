import * as tf from '@tensorflow/tfjs-core';
import type { ConvGeometry, Summed } from './graph.ts';
import { padAlong, sliceAlong } from './tfjs-axis.ts';
import { channelGroup, spatialOf } from './tfjs-correlate.ts';

/**
 * The gradient of a convolution by its weight, as held: [O, …, C / groups], or [examples, C / groups, …, O].
 * (The wasm backend has no kernel of its own for it.)
 */
export function convolveWeightGradient(
  x: tf.Tensor,
  dy: tf.Tensor,
  kernel: readonly number[],
  geometry: ConvGeometry & Summed,
): tf.Tensor {
  const { groups, examples } = geometry;
  // The first is faster by a fifth in the wasm backend; its kernels as large as the image are nothing for a GPU's library.
  const products = geometry.stride === 1 && tf.getBackend() === 'wasm' ? rowProducts : tapProducts;
  const of = (samples: tf.Tensor, gradients: tf.Tensor): tf.Tensor => {
    if (groups === 1) return products(samples, gradients, kernel, geometry);
    const parts = Array.from({ length: groups }, (_, group) =>
      tf.tidy(() => {
        const [part, dyPart] = [samples, gradients].map((all) => channelGroup(all, group, groups));
        return products(part ?? samples, dyPart ?? gradients, kernel, geometry);
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

/**
 * The same for stride 1, as one convolution for each tap along the last axis: the input's rows are its channels and `dy` its kernel, and the
 * places that the kernel can take are the taps along the other axes. It reads the shifted rows where they are, instead of copying them
 * for each tap.
 */
function rowProducts(
  x: tf.Tensor,
  dy: tf.Tensor,
  kernel: readonly number[],
  { padding, dilation }: ConvGeometry,
): tf.Tensor {
  const channels = x.shape.at(-1) ?? 1;
  const out = dy.shape.at(-1) ?? 1;
  const [n = 1] = x.shape;
  const [rows = 1, ...inner] = spatialOf(x);
  const reaches = kernel.map((size) => (size - 1) * dilation);
  const [reach = 0] = reaches;
  const lastReach = reaches.at(-1) ?? 0;

  // Samples below each other: the zeros above one are those below the one before, and `dy` is 0 where a row lies between two.
  const first = tf.transpose(tf.reshape(x, [x.size / channels, channels]), [1, 0]);
  const apart = padAlong(tf.reshape(first, [channels * n, rows, ...inner]), 1, padding, 0);
  const planes = tf.reshape(apart, [channels, n * (rows + padding), ...inner]);
  const padded = inner.length === 1 ? planes : padAlong(planes, 2, padding, padding);

  const width = (inner.at(-1) ?? 1) + lastReach;
  const dyApart = padAlong(dy, 1, 0, rows + padding - (dy.shape[1] ?? 1));
  const side = lastReach - padding;
  const filter = padAlong(dyApart, dy.rank - 2, side, side);
  const between = dy.shape.slice(2, -2);
  const kernels: tf.Tensor4D = tf.reshape(filter, [
    inner.length === 1 ? 1 : n * (rows + padding),
    inner.length === 1 ? n * (rows + padding) : (between[0] ?? 1),
    width,
    out,
  ]);

  const [taps, lastTaps] = [kernel.slice(0, -1), kernel.at(-1) ?? 1];
  const byLastTap = Array.from({ length: lastTaps }, (_, tap) =>
    tf.tidy(() => {
      const shift = tap * dilation;
      const shifted = padAlong(padded, padded.rank - 1, lastReach - shift, shift);
      const product =
        inner.length === 1
          ? tf.conv2d(
              tf.reshape<tf.Rank.R4>(shifted, [1, channels, n * (rows + padding), width]),
              kernels,
              [1, dilation],
              below([0, reach]),
            )
          : tf.conv2d(
              tf.reshape<tf.Rank.R4>(shifted, [channels, n * (rows + padding), -1, width]),
              kernels,
              [dilation, dilation],
              below([reach, 0]),
            );
      return tf.reshape(product, [channels, ...taps, out]);
    }),
  );
  // [last taps, C, other taps, O] to [taps, C, O].
  const product = tf.reshape(tf.stack(byLastTap), [lastTaps, channels, -1, out]);
  return tf.reshape(tf.transpose(product, [2, 0, 1, 3]), [-1, channels, out]);
}

/** Zeros after the first and the second axis of an image. */
function below([height, width]: readonly [number, number]): [
  [number, number],
  [number, number],
  [number, number],
  [number, number],
] {
  return [
    [0, 0],
    [0, height],
    [0, width],
    [0, 0],
  ];
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
