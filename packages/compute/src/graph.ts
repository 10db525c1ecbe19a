import { createLayout, type Layout } from '@consilium/weights';
import { ComputeError } from './error.ts';

/** Dimensions, outermost first; `[]` is a scalar. Images are `[samples, channels, height, width]`, or with depth before height. */
export type Shape = readonly number[];

/** Geometry of a convolution; the same number for every spatial axis, zeros around the image. */
export interface ConvGeometry {
  readonly stride: number;
  readonly padding: number;
  /** Distance between neighbouring taps of the kernel, in pixels. */
  readonly dilation: number;
  /** Channels are divided into so many groups, each convolved by itself; as many as channels is a depthwise convolution. */
  readonly groups: number;
}

/** Geometry of a group norm: `groups` divides the channels; `epsilon` is added to the variance. */
export interface NormGeometry {
  readonly groups: number;
  readonly epsilon: number;
}

/**
 * What a gradient by a parameter is summed over: null for the whole batch; a number E for every E-th part of it by itself, in which case the
 * result has E as a further, first dimension.
 */
export interface Summed {
  readonly examples: number | null;
}

/** What a soft Dice loss sums over: every sample of the batch at once, or each sample by itself. */
export type DiceOver = 'batch' | 'sample';

/** Focal loss: `alpha` weighs the positives, 1 − alpha the negatives; `gamma` takes weight from what is already right. */
export interface FocalGeometry {
  readonly alpha: number;
  readonly gamma: number;
}

/**
 * One operator, by `op`; `inputs` are indices of earlier nodes.
 *
 * Forward operators are built by {@link GraphBuilder}; those named `…Gradient`, `channelSum` and `fill` come
 * from {@link differentiate}. `dy` is the loss's gradient with respect to the forward operator's result. Convolutions, pools and
 * upsampling work on two or three spatial axes, as their input has.
 */
export type Operation =
  | { readonly op: 'input' | 'parameter'; readonly inputs: readonly [] }
  | { readonly op: 'constant'; readonly inputs: readonly []; readonly value: number }
  | { readonly op: 'add' | 'mul'; readonly inputs: readonly [a: number, b: number] }
  | { readonly op: 'addChannels'; readonly inputs: readonly [x: number, b: number] }
  | { readonly op: 'scale'; readonly inputs: readonly [x: number]; readonly factor: number }
  | {
      readonly op: 'relu' | 'silu' | 'sigmoid' | 'softmax';
      readonly inputs: readonly [x: number];
    }
  | { readonly op: 'leakyRelu'; readonly inputs: readonly [x: number]; readonly slope: number }
  | {
      readonly op: 'reluGradient' | 'sigmoidGradient' | 'softmaxGradient';
      readonly inputs: readonly [y: number, dy: number];
    }
  | {
      readonly op: 'leakyReluGradient';
      readonly inputs: readonly [y: number, dy: number];
      readonly slope: number;
    }
  | { readonly op: 'siluGradient'; readonly inputs: readonly [x: number, dy: number] }
  | {
      /** `stream` tells one layer's draws from another's; a layer's gradient has the same. */
      readonly op: 'dropout';
      readonly inputs: readonly [x: number, seed: number];
      readonly rate: number;
      readonly stream: number;
    }
  | ({
      readonly op: 'conv';
      readonly inputs: readonly [x: number, w: number, b?: number];
    } & ConvGeometry)
  | ({
      /** The convolution's transpose: what its gradient by the input is, and a layer of its own. `y` is of the convolution's result. */
      readonly op: 'convTranspose';
      readonly inputs: readonly [y: number, w: number];
    } & ConvGeometry)
  | ({
      readonly op: 'convWeightGradient';
      readonly inputs: readonly [x: number, dy: number];
    } & ConvGeometry &
      Summed)
  | { readonly op: 'dense'; readonly inputs: readonly [x: number, w: number, b?: number] }
  | { readonly op: 'denseInputGradient'; readonly inputs: readonly [dy: number, w: number] }
  | ({
      readonly op: 'denseWeightGradient';
      readonly inputs: readonly [x: number, dy: number];
    } & Summed)
  | ({ readonly op: 'channelSum'; readonly inputs: readonly [x: number] } & Summed)
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
    } & NormGeometry &
      Summed)
  | {
      /** Windows of `size` (one number for each spatial axis) that tile the image. */
      readonly op: 'maxPool' | 'avgPool';
      readonly inputs: readonly [x: number];
      readonly size: readonly number[];
    }
  | {
      readonly op: 'maxPoolGradient';
      readonly inputs: readonly [x: number, dy: number];
      readonly size: readonly number[];
    }
  | {
      /** Every pixel repeated `factor` times along each spatial axis. */
      readonly op: 'upsample';
      readonly inputs: readonly [x: number];
      readonly factor: readonly number[];
    }
  | {
      readonly op: 'upsampleBilinear2d' | 'upsampleBilinear2dGradient';
      readonly inputs: readonly [x: number];
    }
  | { readonly op: 'concat'; readonly inputs: readonly number[] }
  | {
      readonly op: 'slice';
      readonly inputs: readonly [x: number];
      readonly axis: number;
      readonly from: number;
      readonly to: number;
    }
  | {
      /** Zeros before and after, along one axis. */
      readonly op: 'pad';
      readonly inputs: readonly [x: number];
      readonly axis: number;
      readonly before: number;
      readonly after: number;
    }
  | { readonly op: 'reshape'; readonly inputs: readonly [x: number] }
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
  | ({
      readonly op: 'focalLoss';
      readonly inputs: readonly [logits: number, target: number];
    } & FocalGeometry)
  | ({
      readonly op: 'focalLossGradient';
      readonly inputs: readonly [dy: number, logits: number, target: number];
    } & FocalGeometry)
  | {
      readonly op: 'smoothL1Loss';
      readonly inputs: readonly [x: number, target: number];
      readonly beta: number;
    }
  | {
      readonly op: 'smoothL1LossGradient';
      readonly inputs: readonly [dy: number, x: number, target: number];
      readonly beta: number;
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
  /**
   * Present where gradients are by example: the batch is divided into so many examples of neighbouring samples, and every gradient has one row
   * for each. With `clipNorm`, each example's gradient, over all trained parameters, is scaled to at most that L2 norm.
   */
  readonly perExample?: PerExample;
}

/** Gradients by example instead of by batch. */
export interface PerExample {
  readonly examples: number;
  readonly clipNorm: number | null;
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

/** A convolution's geometry, for one that is made from it. */
export function geometryOf({ stride, padding, dilation, groups }: ConvGeometry): ConvGeometry {
  return { stride, padding, dilation, groups };
}

/** An image's shape, taken apart; a row of features has no spatial axes. @throws {ComputeError} `BAD_GRAPH` below two dimensions. */
export function gridShape(
  shape: Shape,
  layer: string,
): [samples: number, channels: number, spatial: readonly number[]] {
  const [n, c, ...spatial] = shape;
  if (n === undefined || c === undefined) {
    throw new ComputeError(
      'BAD_GRAPH',
      `${layer}: wanted [samples, channels, …], got [${shape.join(', ')}]`,
    );
  }
  return [n, c, spatial];
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
