import * as tf from '@tensorflow/tfjs-core';
import type { GraphNode, Operation } from './graph.ts';
import { convKernels } from './tfjs-conv.ts';
import { denseKernels } from './tfjs-dense.ts';
import { elementwiseKernels } from './tfjs-elementwise.ts';
import { imageKernels } from './tfjs-image.ts';
import type { Frame, Kernels } from './tfjs-kernel.ts';
import { lossKernels } from './tfjs-loss.ts';
import { normKernels } from './tfjs-norm.ts';

/** The operators whose values are computed. Inputs and parameters are given, and dropout layers made products before (`exposeDropout`). */
type Computed = Exclude<Operation['op'], 'input' | 'parameter' | 'dropout'>;

const kernels: Kernels<Computed> = {
  ...elementwiseKernels,
  ...convKernels,
  ...denseKernels,
  ...normKernels,
  ...imageKernels,
  ...lossKernels,
};

/** Whether a node's value is computed. */
export function isComputed(node: GraphNode): node is GraphNode & { readonly op: Computed } {
  return node.op !== 'input' && node.op !== 'parameter' && node.op !== 'dropout';
}

/** Computes one operator with the active backend. Everything else that is made on the way is disposed. */
export function compute(node: GraphNode & { readonly op: Computed }, frame: Frame): tf.Tensor {
  return tf.tidy(() => dispatch(node.op, node, frame));
}

// With the operator as a type parameter the table's kernel and the node are of one type.
function dispatch<Op extends Computed>(
  op: Op,
  node: GraphNode & { readonly op: Op },
  frame: Frame,
): tf.Tensor {
  return kernels[op](node, frame);
}
