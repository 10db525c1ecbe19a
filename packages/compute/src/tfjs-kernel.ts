import type * as tf from '@tensorflow/tfjs-core';
import type { GraphNode, Operation, Shape } from './graph.ts';

/** What an operator sees of the run that it is part of. */
export interface Frame {
  /** The result of an earlier node, as held (`heldShape`). */
  tensor(node: number): tf.Tensor;
  /** The shape of an earlier node, as the graph has it. */
  shape(node: number): Shape;
}

/** Computes one operator in TensorFlow.js: a new tensor, as held. What else it makes is disposed by the caller's `tidy`. */
export type Kernel<Op extends Operation['op']> = (
  node: GraphNode & { readonly op: Op },
  frame: Frame,
) => tf.Tensor;

/** One kernel for each operator of a family. */
export type Kernels<Op extends Operation['op']> = { readonly [Key in Op]: Kernel<Key> };
