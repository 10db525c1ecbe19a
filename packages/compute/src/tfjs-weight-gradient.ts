import * as tf from '@tensorflow/tfjs-core';
import type { ConvGeometry, Summed } from './graph.ts';
import { padAlong, sliceAlong } from './tfjs-axis.ts';
import { channelGroup, explicit, spatialOf } from './tfjs-correlate.ts';

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
  // `rowProducts` is faster in the wasm backend, and slower in the native one.
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
  const [length = 1, ...inner] = spatialOf(x);
  const isDeep = inner.length === 2;
  const [taps, lastTaps] = [kernel.slice(0, -1), kernel.at(-1) ?? 1];
  const [reach = 0, lastReach = 0] = [taps[0] ?? 1, lastTaps].map((size) => (size - 1) * dilation);

  // Samples one after the other along the first axis: the zeros before one are those after the one before it, and `dy` is 0 where the
  // kernel would join two.
  const apart = length + padding;
  const total = n * apart;
  const first = tf.transpose(tf.reshape(x, [x.size / channels, channels]), [1, 0]);
  const spaced = padAlong(tf.reshape(first, [channels * n, length, ...inner]), 1, padding, 0);
  const grid = tf.reshape(spaced, [channels, total, ...inner]);
  const padded = isDeep ? padAlong(grid, 2, padding, padding) : grid;

  // Along the last axis both get zeros on the sides, and `x` is moved by the tap.
  const side = lastReach - padding;
  const dySpaced = padAlong(dy, 1, 0, apart - (dy.shape[1] ?? 1));
  const filter = padAlong(dySpaced, dy.rank - 2, side, side);
  const width = (inner.at(-1) ?? 1) + lastReach;
  const filters: tf.Tensor4D = isDeep
    ? tf.reshape(filter, [total, -1, width, out])
    : tf.reshape(filter, [1, total, width, out]);
  const after = isDeep ? ([reach, 0] as const) : ([0, reach] as const);
  const products = Array.from({ length: lastTaps }, (_, tap) =>
    tf.tidy(() => {
      const moved = padAlong(padded, padded.rank - 1, lastReach - tap * dilation, tap * dilation);
      const images: tf.Tensor4D = isDeep
        ? tf.reshape(moved, [channels, total, -1, width])
        : tf.reshape(moved, [1, channels, total, width]);
      const step: [number, number] = isDeep ? [dilation, dilation] : [1, dilation];
      return tf.conv2d(
        images,
        filters,
        step,
        explicit([
          [0, after[0]],
          [0, after[1]],
        ]),
      );
    }),
  );
  // [last taps, C, other taps, O] to [taps, C, O].
  const product = tf.reshape(tf.stack(products), [lastTaps, channels, -1, out]);
  return tf.reshape(tf.transpose(product, [2, 0, 1, 3]), [-1, channels, out]);
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
