import { type Graph, nodeAt, sizeOf } from './graph.ts';
import { isDeepGeometry } from './lower-deep-conv.ts';

/**
 * The share of a graph's products, in [0, 1], that convolutions make from whole blocks of channels, or from fewer channels than a block, to whole
 * blocks: those that onnxruntime's kernels on blocked images are made for; over three axes at stride 1, of neighbouring taps. A graph without convolutions has none.
 */
export function shareInBlocks(graph: Graph, block: number): number {
  let [inside, all] = [0, 0];
  for (const node of graph.nodes) {
    if (node.op !== 'conv') continue;
    const [out = 1, inner = 1, ...kernel] = nodeAt(graph.nodes, node.inputs[1]).shape;
    const products = sizeOf(node.shape) * inner * sizeOf(kernel);
    const planar = kernel.length === 2 && node.groups === 1;
    const fits = (planar || isDeepGeometry(node)) && out % block === 0;
    all += products;
    if (fits && (inner % block === 0 || inner < block)) inside += products;
  }
  return all === 0 ? 0 : inside / all;
}
