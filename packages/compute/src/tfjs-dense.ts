import * as tf from '@tensorflow/tfjs-core';
import { sliceAlong } from './tfjs-axis.ts';
import type { Kernels } from './tfjs-kernel.ts';

/** `x` wᵀ, transposed by itself: the wasm backend's product is slow where it has to do that. */
function product(x: tf.Tensor, w: tf.Tensor): tf.Tensor {
  return tf.matMul(x, tf.transpose(w, [1, 0]));
}

/** Dense layers, rows of features times a matrix, and their gradients. */
export const denseKernels: Kernels<'dense' | 'denseInputGradient' | 'denseWeightGradient'> = {
  dense: ({ inputs: [x, w, b] }, { tensor }) => {
    const y = product(tensor(x), tensor(w));
    return b === undefined ? y : tf.add(y, tensor(b));
  },
  denseInputGradient: ({ inputs: [dy, w] }, { tensor }) => tf.matMul(tensor(dy), tensor(w)),
  // dyᵀ x, [O, F]; by example [E, O, F], which is held as [E, F, O].
  denseWeightGradient: ({ inputs: [x, dy], examples }, { tensor }) => {
    const rows = tensor(x);
    if (examples === null) return tf.matMul(tf.transpose(tensor(dy), [1, 0]), rows);
    const size = (rows.shape[0] ?? 1) / examples;
    const each = Array.from({ length: examples }, (_, example) => {
      const of = (all: tf.Tensor): tf.Tensor =>
        sliceAlong(all, 0, example * size, (example + 1) * size);
      return tf.matMul(tf.transpose(of(rows), [1, 0]), of(tensor(dy)));
    });
    return tf.stack(each);
  },
};
