import * as tf from '@tensorflow/tfjs-core';
import type { ConvGeometry } from './graph.ts';
import { padAlong, pickAlong, sliceAlong } from './tfjs-axis.ts';

/** Zeros before and after, for every spatial axis. */
export type Pads = readonly (readonly [before: number, after: number])[];

type Correlation = Omit<ConvGeometry, 'padding'>;

/** A held tensor's spatial axes. */
export function spatialOf(held: tf.Tensor): number[] {
  return held.shape.slice(1, -1);
}

/** One of `groups` equal parts of a held tensor's channels. */
export function channelGroup(x: tf.Tensor, group: number, groups: number): tf.Tensor {
  const size = (x.shape.at(-1) ?? 1) / groups;
  return sliceAlong(x, x.rank - 1, group * size, (group + 1) * size);
}

/** Cross-correlation of `x` [N, …, C] with `w` [O, …, C / groups], both as held, over two or three spatial axes. */
export function correlate(
  x: tf.Tensor,
  w: tf.Tensor,
  pads: Pads,
  geometry: Correlation,
): tf.Tensor {
  const { groups } = geometry;
  if (pads.length === 3) return correlateDeep(x, w, pads, geometry);
  if (groups === 1) return correlateImages(x, w, pads, geometry);
  if (groups === x.shape.at(-1)) return correlateDepthwise(x, w, pads, geometry);
  const kernels = tf.split(w, groups, 0);
  const parts = kernels.map((part, group) =>
    tf.tidy(() => correlateImages(channelGroup(x, group, groups), part, pads, geometry)),
  );
  return tf.concat(parts, -1);
}

/** Three axes as a sum over the kernel's depth: the wasm backend's own kernel for them is fifty times slower. */
function correlateDeep(
  x: tf.Tensor,
  w: tf.Tensor,
  [[before, after] = [0, 0], ...pads]: Pads,
  geometry: Correlation,
): tf.Tensor {
  const { stride, dilation } = geometry;
  const [out = 1, kernelDepth = 1, ...kernel] = w.shape;
  const padded = before === 0 && after === 0 ? x : padAlong(x, 1, before, after);
  const [n = 1, paddedDepth = 1, ...image] = padded.shape;
  const depth = Math.floor((paddedDepth - dilation * (kernelDepth - 1) - 1) / stride) + 1;
  let sum: tf.Tensor | undefined;
  for (let tap = 0; tap < kernelDepth; tap++) {
    const before = sum;
    sum = tf.tidy(() => {
      const slices = pickAlong(padded, 1, { from: tap * dilation, count: depth, step: stride });
      const plane = tf.reshape(sliceAlong(w, 1, tap, tap + 1), [out, ...kernel]);
      const part = correlate(tf.reshape(slices, [n * depth, ...image]), plane, pads, geometry);
      return before === undefined ? part : tf.add(before, part);
    });
    before?.dispose();
  }
  const y = sum ?? tf.zeros([n * depth, ...image]);
  return tf.reshape(y, [n, depth, ...y.shape.slice(1)]);
}

function correlateImages(
  x: tf.Tensor,
  w: tf.Tensor,
  pads: Pads,
  { stride, dilation }: Correlation,
): tf.Tensor {
  const filter: tf.Tensor4D = tf.transpose(rank4(w), [1, 2, 3, 0]);
  return strided(stride, dilation, (step) =>
    tf.conv2d(rank4(x), filter, step, explicit(pads), 'NHWC', dilation),
  );
}

function correlateDepthwise(
  x: tf.Tensor,
  w: tf.Tensor,
  pads: Pads,
  { stride, dilation, groups }: Correlation,
): tf.Tensor {
  const [out = 1, height = 1, width = 1] = w.shape;
  const filter: tf.Tensor4D = tf.reshape(
    tf.transpose(tf.reshape(w, [out, height * width]), [1, 0]),
    [height, width, groups, out / groups],
  );
  const padded = pads.reduce<tf.Tensor>(
    (image, [before, after], place) => padAlong(image, place + 1, before, after),
    x,
  );
  return strided(stride, dilation, (step) =>
    tf.depthwiseConv2d(rank4(padded), filter, step, 'valid', 'NHWC', dilation),
  );
}

/** TensorFlow.js takes a stride or a dilation, not both: then every place is computed and those wanted are picked. */
function strided(
  stride: number,
  dilation: number,
  convolution: (step: number) => tf.Tensor,
): tf.Tensor {
  if (stride === 1 || dilation === 1) return convolution(stride);
  let y = convolution(1);
  for (const axis of [1, 2]) {
    const count = Math.floor(((y.shape[axis] ?? 1) - 1) / stride) + 1;
    y = pickAlong(y, axis, { from: 0, count, step: stride });
  }
  return y;
}

type ExplicitPadding = Exclude<Parameters<typeof tf.conv2d>[3], string | number>;

/** Zeros around an image as `conv2d` takes them. */
export function explicit(pads: Pads): ExplicitPadding | 'valid' {
  const [[top, bottom] = [0, 0], [left, right] = [0, 0]] = pads;
  if (Math.max(top, bottom, left, right) === 0) return 'valid';
  return [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
}

function rank4(x: tf.Tensor): tf.Tensor4D {
  const [a = 1, b = 1, c = 1, d = 1] = x.shape;
  return tf.reshape(x, [a, b, c, d]);
}
