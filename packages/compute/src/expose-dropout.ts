import { dropoutMask } from './dropout.ts';
import { type Graph, type GraphNode, nodeAt, type Shape, sizeOf } from './graph.ts';

/** A dropout layer's mask as an input of the graph. */
interface MaskInput {
  readonly name: string;
  readonly shape: Shape;
  readonly stream: number;
  readonly rate: number;
  /** The input that holds the seed. */
  readonly seed: number;
}

/** A graph without dropout, and what it wants besides the original's inputs. */
export interface ExposedDropout {
  readonly graph: Graph;
  /** The inputs of `graph` for inputs of the original: theirs, and every mask. @throws {ComputeError} `BAD_INPUT` for a bad seed. */
  readonly withMasks: (
    inputs: Readonly<Record<string, Float32Array>>,
  ) => Readonly<Record<string, Float32Array>>;
}

/**
 * Replaces dropout layers by products with masks that are inputs of the graph: no engine has to draw, and all use the same bits.
 * A graph without dropout stays as it is.
 */
export function exposeDropout(graph: Graph): ExposedDropout {
  const masks = new Map<string, MaskInput>();
  for (const node of graph.nodes) {
    if (node.op !== 'dropout') continue;
    const { rate, stream, shape } = node;
    const seed = node.inputs[1];
    const name = `#dropout ${stream} ${seed}`;
    masks.set(name, { name, shape, stream, rate, seed });
  }
  if (masks.size === 0) return { graph, withMasks: (inputs) => inputs };
  const wanted = [...masks.values()];
  return {
    graph: withInputs(graph, wanted),
    withMasks: (inputs) => {
      const feeds: Record<string, Float32Array> = { ...inputs };
      for (const { name, shape, stream, rate, seed } of wanted) {
        const [value = Number.NaN] = inputs[nodeAt(graph.nodes, seed).name] ?? [];
        feeds[name] = dropoutMask(value, stream, sizeOf(shape), rate);
      }
      return feeds;
    },
  };
}

/** `graph` with the masks as its first nodes, and every place in it moved by their number. */
function withInputs(graph: Graph, masks: readonly MaskInput[]): Graph {
  const moved = masks.length;
  const places = new Map(masks.map(({ name }, place) => [name, place]));
  const nodes: GraphNode[] = masks.map(({ name, shape }) => ({
    op: 'input',
    inputs: [],
    name,
    shape,
  }));
  for (const node of graph.nodes) {
    if (node.op === 'dropout') {
      const [x, seed] = node.inputs;
      const mask = places.get(`#dropout ${node.stream} ${seed}`) ?? 0;
      nodes.push({ op: 'mul', inputs: [x + moved, mask], name: node.name, shape: node.shape });
      continue;
    }
    const inputs = (node.inputs as readonly number[]).map((input) => input + moved);
    // The same operator with the same number of inputs: TypeScript cannot see that a map keeps a tuple's length.
    nodes.push({ ...node, inputs } as unknown as GraphNode);
  }
  const { perExample } = graph;
  return {
    nodes,
    inputs: [...places.values(), ...graph.inputs.map((index) => index + moved)],
    parameters: graph.parameters.map((index) => index + moved),
    outputs: graph.outputs.map(({ name, node }) => ({ name, node: node + moved })),
    ...(graph.gradients && {
      gradients: graph.gradients.map(({ parameter, node }) => ({
        parameter: parameter + moved,
        node: node + moved,
      })),
    }),
    ...(perExample && { perExample }),
  };
}
