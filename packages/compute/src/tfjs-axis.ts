import * as tf from '@tensorflow/tfjs-core';

// Along one axis of a held tensor, whatever the number of the others: each reshapes to [outer, axis, inner] and back.

function split(x: tf.Tensor, axis: number): [outer: number, size: number, inner: number] {
  const product = (dims: readonly number[]): number => dims.reduce((size, dim) => size * dim, 1);
  return [product(x.shape.slice(0, axis)), x.shape[axis] ?? 1, product(x.shape.slice(axis + 1))];
}

function resized(x: tf.Tensor, axis: number, size: number): number[] {
  return x.shape.with(axis, size);
}

/** Every entry `times` times, one after the other. */
export function repeatAlong(x: tf.Tensor, axis: number, times: number): tf.Tensor {
  if (times === 1) return tf.clone(x);
  const [outer, size, inner] = split(x, axis);
  // A product with ones, not `tile`, which copies single values in the wasm backend and is 25 times slower.
  const repeated = tf.mul(tf.reshape(x, [outer, size, 1, inner]), tf.ones([1, 1, times, 1]));
  return tf.reshape(repeated, resized(x, axis, size * times));
}

/** `times − 1` zeros after every entry. */
export function spreadAlong(x: tf.Tensor, axis: number, times: number): tf.Tensor {
  if (times === 1) return tf.clone(x);
  const [outer, size, inner] = split(x, axis);
  const spread = tf.pad(tf.reshape(x, [outer, size, 1, inner]), [
    [0, 0],
    [0, 0],
    [0, times - 1],
    [0, 0],
  ]);
  return tf.reshape(spread, resized(x, axis, size * times));
}

/** Entries `from` up to but without `to`. */
export function sliceAlong(x: tf.Tensor, axis: number, from: number, to: number): tf.Tensor {
  const [outer, , inner] = split(x, axis);
  const rows = tf.reshape(x, [outer, split(x, axis)[1] * inner]);
  const part = tf.slice(rows, [0, from * inner], [outer, (to - from) * inner]);
  return tf.reshape(part, resized(x, axis, to - from));
}

/** `count` entries, `step` apart. */
export function pickAlong(
  x: tf.Tensor,
  axis: number,
  { from, count, step }: { from: number; count: number; step: number },
): tf.Tensor {
  if (step === 1) return sliceAlong(x, axis, from, from + count);
  const [outer, size, inner] = split(x, axis);
  const rows = tf.reshape(x, [outer, size, inner]);
  const end = [outer, from + (count - 1) * step + 1, inner];
  return tf.reshape(
    tf.stridedSlice(rows, [0, from, 0], end, [1, step, 1]),
    resized(x, axis, count),
  );
}

/** Zeros before and after; a negative number takes entries away instead. */
export function padAlong(x: tf.Tensor, axis: number, before: number, after: number): tf.Tensor {
  const size = x.shape[axis] ?? 1;
  const from = Math.max(-before, 0);
  const to = size - Math.max(-after, 0);
  const kept = from === 0 && to === size ? x : sliceAlong(x, axis, from, to);
  const [outer, length, inner] = split(kept, axis);
  const padded = tf.pad(tf.reshape(kept, [outer, length * inner]), [
    [0, 0],
    [Math.max(before, 0) * inner, Math.max(after, 0) * inner],
  ]);
  return tf.reshape(padded, resized(kept, axis, length + Math.max(before, 0) + Math.max(after, 0)));
}

/** The largest, or the mean, of every `size` neighbours, which tile the axis. */
export function poolAlong(
  x: tf.Tensor,
  axis: number,
  size: number,
  kind: 'max' | 'avg',
): tf.Tensor {
  // The kernels refuse windows of a single value.
  if (size === 1) return tf.clone(x);
  const [outer, length, inner] = split(x, axis);
  const image = tf.reshape<tf.Rank.R4>(x, [outer, length, 1, inner]);
  const pool = kind === 'max' ? tf.maxPool : tf.avgPool;
  const pooled = pool(image, [size, 1], [size, 1], 'valid');
  return tf.reshape(pooled, resized(x, axis, length / size));
}

/** Twice the length, by linear interpolation between the entries' centres; the ends are repeated. */
export function interpolateAlong(x: tf.Tensor, axis: number): tf.Tensor {
  const [outer, size, inner] = split(x, axis);
  const rows = tf.reshape(x, [outer, size * inner]);
  const first = tf.slice(rows, [0, 0], [outer, inner]);
  const last = tf.slice(rows, [0, (size - 1) * inner], [outer, inner]);
  const near = tf.mul(rows, 0.75);
  const between = (size - 1) * inner;
  const previous = tf.concat([first, tf.slice(rows, [0, 0], [outer, between])], 1);
  const next = tf.concat([tf.slice(rows, [0, inner], [outer, between]), last], 1);
  const pair = [previous, next].map((neighbour) =>
    tf.reshape(tf.add(near, tf.mul(neighbour, 0.25)), [outer, size, 1, inner]),
  );
  return tf.reshape(tf.concat(pair, 2), resized(x, axis, 2 * size));
}

/** The gradient of {@link interpolateAlong} by its argument: its transpose. */
export function interpolateTransposed(dy: tf.Tensor, axis: number): tf.Tensor {
  const [outer, doubled, inner] = split(dy, axis);
  const size = doubled / 2;
  const pairs = tf.reshape(dy, [outer * size, 2 * inner]);
  const half = (which: number): tf.Tensor =>
    tf.reshape(tf.slice(pairs, [0, which * inner], [outer * size, inner]), [outer, size * inner]);
  const [even, odd] = [half(0), half(1)];
  const length = (size - 1) * inner;
  // What came from the previous entry goes back to it, and at the end to the entry itself; so with the next.
  const toPrevious = tf.add(
    padAlong(tf.slice(even, [0, inner], [outer, length]), 1, 0, inner),
    padAlong(tf.slice(even, [0, 0], [outer, inner]), 1, 0, length),
  );
  const toNext = tf.add(
    padAlong(tf.slice(odd, [0, 0], [outer, length]), 1, inner, 0),
    padAlong(tf.slice(odd, [0, length], [outer, inner]), 1, length, 0),
  );
  const dx = tf.add(tf.mul(tf.add(even, odd), 0.75), tf.mul(tf.add(toPrevious, toNext), 0.25));
  return tf.reshape(dx, resized(dy, axis, size));
}
