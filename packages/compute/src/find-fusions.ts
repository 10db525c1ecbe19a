import { type Graph, type GraphNode, nodeAt } from './graph.ts';

/** Which operators of a graph may be executed together with one that reads their result. */
export interface Fusions {
  /** Group norms and convolutions whose result only a `relu` reads. */
  readonly rectified: ReadonlySet<number>;
  /** For an `add`, the convolution whose result only it reads, and the operand that the convolution can add to. */
  readonly sums: ReadonlyMap<number, { readonly convolution: number; readonly other: number }>;
  /** The convolutions of {@link sums}. */
  readonly added: ReadonlySet<number>;
  /** For a convolution, the upsampling whose result only it reads, and that it can do without: by 2, nearest neighbours, before 3×3 taps. */
  readonly enlarged: ReadonlyMap<number, number>;
}

/** Finds what can be fused in `graph`. */
export function findFusions(graph: Graph): Fusions {
  const uses = new Map<number, number>();
  const use = (index: number): void => {
    uses.set(index, (uses.get(index) ?? 0) + 1);
  };
  for (const { inputs } of graph.nodes) {
    const given: readonly (number | undefined)[] = inputs;
    for (const input of given) if (input !== undefined) use(input);
  }
  for (const { node } of graph.outputs) use(node);
  for (const { node } of graph.gradients ?? []) use(node);

  const enlarged = new Map<number, number>();
  const rectified = new Set<number>();
  const sums = new Map<number, { convolution: number; other: number }>();
  const onlyUse = (index: number): boolean => uses.get(index) === 1;
  for (const [index, node] of graph.nodes.entries()) {
    if (node.op === 'conv') {
      const [x] = node.inputs;
      if (onlyUse(x) && isEnlarging(graph, node)) enlarged.set(index, x);
    } else if (node.op === 'relu') {
      const [x] = node.inputs;
      const { op } = nodeAt(graph.nodes, x);
      if (enlarged.has(x)) continue;
      if (onlyUse(x) && (op === 'groupNorm' || op === 'conv')) rectified.add(x);
    } else if (node.op === 'add') {
      // The later operand: the earlier one is then there when it is executed.
      const [other, convolution] = [...node.inputs].sort((a, b) => a - b);
      if (other === undefined || convolution === undefined || !onlyUse(convolution)) continue;
      if (enlarged.has(convolution)) continue;
      const { op } = nodeAt(graph.nodes, convolution);
      if (op === 'conv' || op === 'convTranspose') sums.set(index, { convolution, other });
    }
  }
  const added = new Set([...sums.values()].map(({ convolution }) => convolution));
  return { rectified, sums, added, enlarged };
}

function isEnlarging(graph: Graph, node: Extract<GraphNode, { op: 'conv' }>): boolean {
  const { stride, padding, dilation, groups } = node;
  const [x, w] = node.inputs;
  const source = nodeAt(graph.nodes, x);
  const [, , ...kernel] = nodeAt(graph.nodes, w).shape;
  return (
    source.op === 'upsample' &&
    source.factor.join() === '2,2' &&
    kernel.join() === '3,3' &&
    [stride, padding, dilation, groups].join() === '1,1,1,1'
  );
}
