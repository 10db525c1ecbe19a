import { type Graph, sizeOf } from '@consilium/compute';
import type { Work } from './assignment.ts';

/**
 * Floating-point operations of one run: two for every multiplication and addition of a convolution, nothing else counted. A training
 * step is three forward passes by convention (the gradient by input and the one by weight cost a forward pass each).
 */
export function flopsOf(graph: Graph, work: Work): number {
  const forward = convolutionFlops(graph);
  switch (work.kind) {
    case 'train':
      return 3 * forward;
    case 'private':
      return 3 * forward * work.patients;
    case 'read':
    case 'product':
      return forward;
  }
}

/** Every value of a convolution's result takes one multiplication and one addition for each value of one filter. */
function convolutionFlops({ nodes }: Graph): number {
  let flops = 0;
  for (const node of nodes) {
    if (node.op !== 'conv') continue;
    const [, ...filter] = nodes[node.inputs[1]]?.shape ?? [];
    flops += 2 * sizeOf(node.shape) * sizeOf(filter);
  }
  return flops;
}
