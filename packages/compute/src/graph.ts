import { createLayout, type Layout } from '@consilium/weights';
import { ComputeError } from './error.ts';

/** Dimensions, outermost first; `[]` is a scalar. Images are `[samples, channels, height, width]`. */
export type Shape = readonly number[];

/** Geometry of a convolution; the same number for both axes, zeros around the image. */
export interface ConvGeometry {
  readonly stride: number;
  readonly padding: number;
}

/** Geometry of a group norm: `groups` divides the channels; `epsilon` is added to the variance. */
export interface NormGeometry {
  readonly groups: number;
  readonly epsilon: number;
}

/** What a soft Dice loss sums over: every sample of the batch at once, or each sample by itself. */
export type DiceOver = 'batch' | 'sample';

/**
 * One operator, by `op`; `inputs` are indices of earlier nodes.
 *
 * Forward operators are built by {@link GraphBuilder}; those named `…Gradient`, `channelSum` and `fill` come
 * from {@link differentiate}. `dy` is the loss's gradient with respect to the forward operator's result.
 */
export type Operation =
  | { readonly op: 'input' | 'parameter'; readonly inputs: readonly [] }
  | { readonly op: 'constant'; readonly inputs: readonly []; readonly value: number }
  | { readonly op: 'add' | 'mul'; readonly inputs: readonly [a: number, b: number] }
  | { readonly op: 'scale'; readonly inputs: readonly [x: number]; readonly factor: number }
  | { readonly op: 'relu' | 'silu' | 'sigmoid'; readonly inputs: readonly [x: number] }
  | { readonly op: 'reluGradient'; readonly inputs: readonly [y: number, dy: number] }
  | { readonly op: 'siluGradient'; readonly inputs: readonly [x: number, dy: number] }
  | { readonly op: 'sigmoidGradient'; readonly inputs: readonly [y: number, dy: number] }
  | ({
      readonly op: 'conv2d';
      readonly inputs: readonly [x: number, w: number, b?: number];
    } & ConvGeometry)
  | ({
      readonly op: 'conv2dInputGradient';
      readonly inputs: readonly [dy: number, w: number];
    } & ConvGeometry)
  | ({
      readonly op: 'conv2dWeightGradient';
      readonly inputs: readonly [x: number, dy: number];
    } & ConvGeometry)
  | { readonly op: 'channelSum'; readonly inputs: readonly [x: number] }
  | ({
      readonly op: 'groupNorm';
      readonly inputs: readonly [x: number, scale: number, shift: number];
    } & NormGeometry)
  | ({
      readonly op: 'groupNormInputGradient';
      readonly inputs: readonly [x: number, scale: number, dy: number];
    } & NormGeometry)
  | ({
      readonly op: 'groupNormScaleGradient';
      readonly inputs: readonly [x: number, dy: number];
    } & NormGeometry)
  | {
      readonly op: 'maxPool2d' | 'avgPool2d';
      readonly inputs: readonly [x: number];
      readonly size: number;
    }
  | {
      readonly op: 'maxPool2dGradient';
      readonly inputs: readonly [x: number, dy: number];
      readonly size: number;
    }
  | { readonly op: 'upsample2d'; readonly inputs: readonly [x: number]; readonly factor: number }
  | {
      readonly op: 'upsampleBilinear2d' | 'upsampleBilinear2dGradient';
      readonly inputs: readonly [x: number];
    }
  | { readonly op: 'concat'; readonly inputs: readonly number[] }
  | {
      readonly op: 'sliceChannels';
      readonly inputs: readonly [x: number];
      readonly from: number;
      readonly to: number;
    }
  | { readonly op: 'sum' | 'mean'; readonly inputs: readonly [x: number] }
  | { readonly op: 'fill'; readonly inputs: readonly [scalar: number] }
  | {
      readonly op: 'bceWithLogits';
      readonly inputs: readonly [logits: number, target: number, weight?: number];
    }
  | {
      readonly op: 'bceWithLogitsGradient';
      readonly inputs: readonly [dy: number, logits: number, target: number, weight?: number];
    }
  | {
      readonly op: 'softDiceLoss';
      readonly inputs: readonly [logits: number, target: number];
      readonly over: DiceOver;
      readonly smooth: number;
    }
  | {
      readonly op: 'softDiceLossGradient';
      readonly inputs: readonly [dy: number, logits: number, target: number];
      readonly over: DiceOver;
      readonly smooth: number;
    };

/** An operator with the layer's name (for errors and for readers of an exported model) and its result's shape. */
export type GraphNode = Operation & { readonly name: string; readonly shape: Shape };

/** A result with a name that callers ask for. */
export interface GraphOutput {
  readonly name: string;
  readonly node: number;
}

/** A trained parameter's node, and the node that is the loss's gradient with respect to it. */
export interface ParameterGradient {
  readonly parameter: number;
  readonly node: number;
}

/**
 * A network (or its training step) as plain data: every node after those it reads.
 *
 * `parameters` are node indices in creation order, which is the one canonical order of the weights.
 * `gradients`, in a differentiated graph, holds one entry for each trained parameter, in the same order.
 */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly inputs: readonly number[];
  readonly parameters: readonly number[];
  readonly outputs: readonly GraphOutput[];
  readonly gradients?: readonly ParameterGradient[];
}

/** The number of values in a tensor of `shape`; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** The node at `index`. @throws {ComputeError} `BAD_GRAPH` when there is none. */
export function nodeAt(nodes: readonly GraphNode[], index: number): GraphNode {
  const node = nodes[index];
  if (node === undefined) throw new ComputeError('BAD_GRAPH', `there is no node ${index}`);
  return node;
}

/** A shape of four dimensions, taken apart. @throws {ComputeError} `BAD_GRAPH` for another rank. */
export function imageShape(
  shape: Shape,
  layer: string,
): [samples: number, channels: number, height: number, width: number] {
  const [n, c, h, w] = shape;
  if (
    shape.length !== 4 ||
    n === undefined ||
    c === undefined ||
    h === undefined ||
    w === undefined
  ) {
    throw new ComputeError(
      'BAD_GRAPH',
      `${layer}: wanted [samples, channels, height, width], got [${shape.join(', ')}]`,
    );
  }
  return [n, c, h, w];
}

/** The canonical place of every parameter of `graph` in the flat weight vector. */
export function layoutOf(graph: Graph): Layout {
  return layoutOfParameters(graph, graph.parameters);
}

/**
 * The place of every trained parameter in the flat gradient vector of a differentiated graph: {@link layoutOf} without the frozen ones.
 * @throws {ComputeError} `BAD_GRAPH` when the graph was not differentiated.
 */
export function gradientLayoutOf({ nodes, gradients }: Graph): Layout {
  if (gradients === undefined) {
    throw new ComputeError('BAD_GRAPH', 'the graph has no gradient: it was not differentiated');
  }
  return layoutOfParameters(
    { nodes },
    gradients.map(({ parameter }) => parameter),
  );
}

function layoutOfParameters(
  { nodes }: Pick<Graph, 'nodes'>,
  parameters: readonly number[],
): Layout {
  return createLayout(
    parameters.map((index) => {
      const { name, shape } = nodeAt(nodes, index);
      return { name, shape };
    }),
  );
}
