import {
  type Graph,
  type GraphNode,
  geometryOf,
  gridShape,
  nodeAt,
  type Operation,
  type Shape,
} from './graph.ts';

/**
 * The same graph without joined images where only convolutions read them: the convolution of joined channels is the sum of
 * the parts' convolutions by their parts of the kernels, and so are its gradients. A join is kept where a part does not
 * have whole blocks of `block` channels, or where something else reads it.
 *
 * Inputs, parameters, outputs and gradients keep their order and meaning; results differ by rounding alone.
 */
export function splitConcats(graph: Graph, block: number): Graph {
  const rewrite = new Rewrite(graph, block);
  for (const index of graph.nodes.keys()) rewrite.copy(index);
  return dropUnread({
    ...graph,
    nodes: rewrite.nodes,
    inputs: graph.inputs.map(rewrite.placeOf),
    parameters: graph.parameters.map(rewrite.placeOf),
    outputs: graph.outputs.map(({ name, node }) => ({ name, node: rewrite.placeOf(node) })),
    ...(graph.gradients && {
      gradients: graph.gradients.map(({ parameter, node }) => ({
        parameter: rewrite.placeOf(parameter),
        node: rewrite.placeOf(node),
      })),
    }),
  });
}

class Rewrite {
  readonly nodes: GraphNode[] = [];
  readonly #graph: Graph;
  readonly #block: number;
  readonly #places: number[] = [];

  constructor(graph: Graph, block: number) {
    this.#graph = graph;
    this.#block = block;
  }

  readonly placeOf = (index: number): number => this.#places[index] ?? 0;

  copy(index: number): void {
    const node = nodeAt(this.#graph.nodes, index);
    this.#places.push(this.#split(node) ?? this.#push(moved(node, this.placeOf), node));
  }

  #push(operation: Operation, { name, shape }: { name: string; shape: Shape }): number {
    this.nodes.push({ ...operation, name, shape });
    return this.nodes.length - 1;
  }

  #split(node: GraphNode): number | undefined {
    if (node.op === 'conv' && node.groups === 1) {
      const [x, w, b] = node.inputs;
      let sum: number | undefined;
      for (const part of this.#partsOf(x) ?? []) {
        const kernels = this.#slice(w, part);
        const inputs = [this.placeOf(part.node), kernels] as const;
        // The bias belongs to one part alone.
        const given =
          sum === undefined && b !== undefined ? ([...inputs, this.placeOf(b)] as const) : inputs;
        const result = this.#push({ op: 'conv', inputs: given, ...geometryOf(node) }, node);
        sum = sum === undefined ? result : this.#push({ op: 'add', inputs: [sum, result] }, node);
      }
      return sum;
    }
    if (node.op === 'convWeightGradient' && node.groups === 1 && node.examples === null) {
      const [x, dy] = node.inputs;
      const parts = this.#partsOf(x);
      if (parts === undefined) return undefined;
      const [out, , kernel] = gridShape(node.shape, node.name);
      const gradients = parts.map((part) =>
        this.#push(
          {
            op: 'convWeightGradient',
            inputs: [this.placeOf(part.node), this.placeOf(dy)],
            ...geometryOf(node),
            examples: null,
          },
          { name: node.name, shape: [out, part.to - part.from, ...kernel] },
        ),
      );
      return this.#push({ op: 'concat', inputs: gradients }, node);
    }
    if (node.op === 'slice' && node.axis === 1) {
      const [whole] = node.inputs;
      const gradient = nodeAt(this.#graph.nodes, whole);
      if (gradient.op !== 'convTranspose' || gradient.groups !== 1) return undefined;
      if (node.from % this.#block !== 0 || node.to % this.#block !== 0) return undefined;
      const [dy, w] = gradient.inputs;
      const inputs = [this.placeOf(dy), this.#slice(w, node)] as const;
      return this.#push({ op: 'convTranspose', inputs, ...geometryOf(gradient) }, node);
    }
    return undefined;
  }

  /** The images that the node at `index` joins, with their channels; undefined where it is not to be taken apart. */
  #partsOf(index: number): { node: number; from: number; to: number }[] | undefined {
    const join = nodeAt(this.#graph.nodes, index);
    if (join.op !== 'concat') return undefined;
    let from = 0;
    const parts = join.inputs.map((node) => {
      const part = {
        node,
        from,
        to: from + gridShape(nodeAt(this.#graph.nodes, node).shape, join.name)[1],
      };
      from = part.to;
      return part;
    });
    return parts.every(({ to }) => to % this.#block === 0) ? parts : undefined;
  }

  #slice(w: number, { from, to }: { from: number; to: number }): number {
    const { name, shape } = nodeAt(this.#graph.nodes, w);
    const [out, , kernel] = gridShape(shape, name);
    return this.#push(
      { op: 'slice', inputs: [this.placeOf(w)], axis: 1, from, to },
      { name, shape: [out, to - from, ...kernel] },
    );
  }
}

/** Without the nodes that no result needs; inputs and parameters stay. */
function dropUnread(graph: Graph): Graph {
  const read = new Set([...graph.inputs, ...graph.parameters]);
  for (const { node } of graph.outputs) read.add(node);
  for (const { node } of graph.gradients ?? []) read.add(node);
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    if (!read.has(index)) continue;
    const inputs: readonly (number | undefined)[] = nodeAt(graph.nodes, index).inputs;
    for (const input of inputs) if (input !== undefined) read.add(input);
  }
  const kept = [...graph.nodes.keys()].filter((index) => read.has(index));
  const places = new Map(kept.map((index, place) => [index, place]));
  const placeOf = (index: number): number => places.get(index) ?? 0;
  return {
    ...graph,
    nodes: kept.map((index) => {
      const node = nodeAt(graph.nodes, index);
      return { ...moved(node, placeOf), name: node.name, shape: node.shape };
    }),
    inputs: graph.inputs.map(placeOf),
    parameters: graph.parameters.map(placeOf),
    outputs: graph.outputs.map(({ name, node }) => ({ name, node: placeOf(node) })),
    ...(graph.gradients && {
      gradients: graph.gradients.map(({ parameter, node }) => ({
        parameter: placeOf(parameter),
        node: placeOf(node),
      })),
    }),
  };
}

/** The operation with every operand at its new place. */
function moved(node: GraphNode, placeOf: (index: number) => number): Operation {
  const inputs: readonly (number | undefined)[] = node.inputs;
  const places = inputs.map((input) => (input === undefined ? undefined : placeOf(input)));
  // The tuple keeps its length and its gaps, so it is of the operation's own type.
  return { ...node, inputs: places } as Operation;
}
