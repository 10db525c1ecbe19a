import { BlockedValues } from './blocked-values.ts';
import { ComputeError } from './error.ts';
import { findFusions } from './find-fusions.ts';
import {
  type Graph,
  type GraphNode,
  gradientLayoutOf,
  gridShape,
  layoutOf,
  nodeAt,
  type ParameterGradient,
} from './graph.ts';
import {
  lowerLeakyReluGradient,
  lowerReluGradient,
  lowerSigmoidGradient,
  lowerSilu,
  lowerSiluGradient,
  lowerSoftmaxGradient,
} from './lower-activation.ts';
import { BlockedLowering } from './lower-blocked.ts';
import {
  lowerConv,
  lowerConvTranspose,
  lowerConvWeightGradientByTaps,
  lowerConvWeightGradientWide,
} from './lower-conv.ts';
import { lowerDense, lowerDenseInputGradient, lowerDenseWeightGradient } from './lower-dense.ts';
import {
  lowerBce,
  lowerBceGradient,
  lowerDice,
  lowerDiceGradient,
  lowerFocal,
  lowerFocalGradient,
  lowerSmoothL1,
  lowerSmoothL1Gradient,
} from './lower-loss.ts';
import {
  lowerChannelSum,
  lowerGroupNorm,
  lowerGroupNormInputGradient,
  lowerGroupNormScaleGradient,
} from './lower-norm.ts';
import {
  lowerBilinear,
  lowerBilinearGradient,
  lowerMaxPoolGradient,
  lowerPool,
  lowerUpsample,
} from './lower-pool.ts';
import {
  isTakenApart,
  lowerConvOfJoined,
  lowerGroupNormForReading,
  unwrittenJoins,
} from './lower-reading.ts';
import { OnnxModel } from './onnx-model.ts';
import { splitConcats } from './split-concats.ts';

export interface ToOnnxInit {
  /** Stores these weights (canonical order) in the model; without them every parameter is an input by its name. */
  readonly weights?: Float32Array;
  /**
   * Which of several equal formulations to emit: `cpu` is what onnxruntime's own CPU kernels run fastest, `reading` the same where the model
   * holds its weights, `portable` keeps to what every provider executes well. All are standard ONNX. @default 'portable'
   */
  readonly target?: OnnxTarget;
  /**
   * The channels in a block of onnxruntime's own image layout on this machine (`blockedChannels`). With it, target `cpu` uses that
   * runtime's own operators, and the model is no longer standard ONNX. @default none
   */
  readonly block?: number | undefined;
}

export type OnnxTarget = 'cpu' | 'reading' | 'portable';

/** Which formulations to emit, see {@link ToOnnxInit}. */
export type Formulation = Pick<ToOnnxInit, 'target' | 'block'>;

/**
 * The graph as an ONNX model (opset 17, float32, fixed shapes).
 *
 * Inputs and outputs have the graph's names. A differentiated graph has one more output, `gradient`: all trained parameters'
 * gradients flattened into one vector in canonical order (`gradientLayoutOf`), or one such vector after the other for each example. Dropout
 * layers have to be exposed before (`exposeDropout`).
 *
 * @throws {ComputeError} `BAD_INPUT` when `weights` is not of the layout's length.
 */
export function toOnnx(whole: Graph, init: ToOnnxInit = {}): Uint8Array {
  const { weights } = init;
  const graph = rewriteFor(whole, init);
  const model = new OnnxModel();
  const layout = layoutOf(graph);
  if (weights !== undefined && weights.length !== layout.length) {
    throw new ComputeError('BAD_INPUT', `wanted ${layout.length} weights, got ${weights.length}`);
  }
  for (const index of graph.inputs) {
    const { name, shape } = nodeAt(graph.nodes, index);
    model.input(name, shape);
  }
  for (const { name, shape, offset, length } of layout.tensors) {
    if (weights === undefined) model.input(name, shape);
    else model.initializer(name, shape, weights.subarray(offset, offset + length));
  }
  const valueAt = lowerNodes(model, graph, init);
  for (const { name, node } of graph.outputs) {
    model.output(name, valueAt(node), nodeAt(graph.nodes, node).shape);
  }
  if (graph.gradients !== undefined) {
    const { examples } = graph.perExample ?? { examples: 1 };
    const size = examples * gradientLayoutOf(graph).length;
    model.output('gradient', lowerJoinedGradient(model, graph, graph.gradients, valueAt), [size]);
  }
  return model.finish();
}

/** The graph as `formulation` wants it, with the same inputs, parameters and outputs, in the same order. */
export function rewriteFor(graph: Graph, { target, block }: Formulation): Graph {
  return target === 'cpu' && block !== undefined ? splitConcats(graph, block) : graph;
}

/**
 * Emits every node of a graph that went through {@link rewriteFor}; the result tells each node's value. Parameters are read by their
 * names, or by what `parameterOf` gives for a name.
 */
export function lowerNodes(
  model: OnnxModel,
  graph: Graph,
  formulation: Formulation,
  parameterOf: (name: string) => string = (name) => name,
): (index: number) => string {
  const { target = 'portable' } = formulation;
  const block = target === 'cpu' ? formulation.block : undefined;
  const values = new BlockedValues(model, block ?? 1);
  const valueAt = (index: number): string => values.plain(index);
  const standard = (node: GraphNode, at: (index: number) => string): string =>
    node.op === 'parameter' ? parameterOf(node.name) : lower(model, graph, node, at, target);
  const blocked =
    block === undefined
      ? undefined
      : new BlockedLowering({ model, graph, values, fusions: findFusions(graph) }, standard);
  const unwritten = target === 'reading' ? unwrittenJoins(graph) : new Set();
  for (const [index, node] of graph.nodes.entries()) {
    model.layer = node.name;
    if (unwritten.has(index) || blocked?.lower(index)) continue;
    values.setPlain(index, standard(node, valueAt));
  }
  return valueAt;
}

/** All gradients as one vector in canonical order, or one after the other for each example, clipped where the graph says so. */
export function lowerJoinedGradient(
  model: OnnxModel,
  graph: Graph,
  gradients: readonly ParameterGradient[],
  valueAt: (index: number) => string,
): string {
  const { examples, clipNorm } = graph.perExample ?? { examples: 1, clipNorm: null };
  const rows = gradients.map(({ node }) => model.reshape(valueAt(node), [examples, -1]));
  const joined = model.node('Concat', rows, { axis: 1 });
  return model.reshape(clipNorm === null ? joined : lowerClip(model, joined, clipNorm), [-1]);
}

function lower(
  model: OnnxModel,
  graph: Graph,
  node: GraphNode,
  at: (index: number) => string,
  target: OnnxTarget,
): string {
  const portability = { portable: target === 'portable' };
  const pair = ([a, b]: readonly [number, number]): readonly [string, string] => [at(a), at(b)];
  const shapeAt = (index: number): readonly number[] => nodeAt(graph.nodes, index).shape;
  switch (node.op) {
    case 'input':
    case 'parameter':
      return node.name;
    case 'constant':
      return model.node('Expand', [model.float(node.value), model.ints(node.shape)]);
    case 'add':
      return model.node('Add', node.inputs.map(at));
    case 'mul':
      return model.node('Mul', node.inputs.map(at));
    case 'scale':
      return model.node('Mul', [at(node.inputs[0]), model.float(node.factor)]);
    case 'relu':
      return model.node('Relu', node.inputs.map(at));
    case 'sigmoid':
      return model.node('Sigmoid', node.inputs.map(at));
    case 'silu':
      return lowerSilu(model, at(node.inputs[0]));
    case 'leakyRelu':
      return model.node('LeakyRelu', node.inputs.map(at), { alpha: { float: node.slope } });
    case 'softmax':
      return model.node('Softmax', node.inputs.map(at), { axis: 1 });
    case 'reluGradient':
      return lowerReluGradient(model, pair(node.inputs));
    case 'leakyReluGradient':
      return lowerLeakyReluGradient(model, pair(node.inputs), node.slope);
    case 'softmaxGradient':
      return lowerSoftmaxGradient(model, pair(node.inputs));
    case 'sigmoidGradient':
      return lowerSigmoidGradient(model, pair(node.inputs));
    case 'siluGradient':
      return lowerSiluGradient(model, pair(node.inputs));
    case 'dropout':
      throw new ComputeError('BAD_GRAPH', `${node.name}: dropout is exposed before it is emitted`);
    case 'addChannels': {
      const [x, b] = node.inputs;
      const [, channels, spatial] = gridShape(node.shape, node.name);
      const column = model.reshape(at(b), [1, channels, ...spatial.map(() => 1)]);
      return model.node('Add', [at(x), column]);
    }
    case 'conv': {
      const [x, w, b] = node.inputs;
      const convolve = (inputs: readonly string[]): string =>
        lowerConv(model, inputs, shapeAt(w), node, portability);
      const source = nodeAt(graph.nodes, x);
      if (target === 'reading' && source.op === 'concat' && isTakenApart(graph.nodes, node)) {
        const parts = source.inputs.map((i) => ({ x: at(i), channels: shapeAt(i)[1] ?? 0 }));
        return lowerConvOfJoined(model, parts, [at(w), b === undefined ? b : at(b)], convolve);
      }
      return convolve(given(node.inputs).map(at));
    }
    case 'convTranspose': {
      const [y, w] = node.inputs;
      const shapes = { x: node.shape, w: shapeAt(w), y: shapeAt(y) };
      return lowerConvTranspose(model, [at(y), at(w)], shapes, node, portability);
    }
    case 'convWeightGradient': {
      const [x, dy] = node.inputs;
      const w = node.examples === null ? node.shape : node.shape.slice(1);
      const shapes = { x: shapeAt(x), w, dy: shapeAt(dy) };
      const lowerGradient =
        target === 'cpu' ? lowerConvWeightGradientWide : lowerConvWeightGradientByTaps;
      return lowerGradient(model, [at(x), at(dy)], shapes, node);
    }
    case 'dense':
      return lowerDense(model, given(node.inputs).map(at));
    case 'denseInputGradient':
      return lowerDenseInputGradient(model, node.inputs.map(at));
    case 'denseWeightGradient': {
      const [x, dy] = node.inputs;
      const shapes = { x: shapeAt(x), dy: shapeAt(dy) };
      return lowerDenseWeightGradient(model, [at(x), at(dy)], shapes, node);
    }
    case 'channelSum':
      return lowerChannelSum(model, at(node.inputs[0]), shapeAt(node.inputs[0]), node);
    case 'groupNorm': {
      const [x, scale, shift] = node.inputs;
      const lowerNorm = target === 'reading' ? lowerGroupNormForReading : lowerGroupNorm;
      return lowerNorm(model, [at(x), at(scale), at(shift)], node.shape, node);
    }
    case 'groupNormInputGradient': {
      const [x, scale, dy] = node.inputs;
      const inputs = [at(x), at(scale), at(dy)] as const;
      return lowerGroupNormInputGradient(model, inputs, node.shape, node);
    }
    case 'groupNormScaleGradient': {
      const [x, dy] = node.inputs;
      return lowerGroupNormScaleGradient(model, [at(x), at(dy)], shapeAt(x), node);
    }
    case 'maxPool':
    case 'avgPool':
      return lowerPool(
        model,
        node.op === 'maxPool' ? 'MaxPool' : 'AveragePool',
        at(node.inputs[0]),
        node.size,
      );
    case 'maxPoolGradient': {
      const [x, dy] = node.inputs;
      return lowerMaxPoolGradient(model, [at(x), at(dy)], node.size);
    }
    case 'upsample':
      return lowerUpsample(model, at(node.inputs[0]), node.factor);
    case 'upsampleBilinear2d':
      return lowerBilinear(model, at(node.inputs[0]));
    case 'upsampleBilinear2dGradient':
      return lowerBilinearGradient(model, at(node.inputs[0]), node.shape);
    case 'concat':
      return model.node('Concat', node.inputs.map(at), { axis: 1 });
    case 'slice':
      return model.node('Slice', [
        at(node.inputs[0]),
        model.ints([node.from]),
        model.ints([node.to]),
        model.ints([node.axis]),
      ]);
    case 'pad': {
      const edge = (size: number): number[] =>
        node.shape.map((_, axis) => (axis === node.axis ? size : 0));
      const pads = model.ints([...edge(node.before), ...edge(node.after)]);
      return model.node('Pad', [at(node.inputs[0]), pads, model.float(0)]);
    }
    case 'reshape':
      return model.reshape(at(node.inputs[0]), node.shape);
    case 'sum':
      return model.node('ReduceSum', [at(node.inputs[0])], { keepdims: 0 });
    case 'mean':
      return model.node('ReduceMean', [at(node.inputs[0])], { keepdims: 0 });
    case 'fill':
      return model.node('Expand', [at(node.inputs[0]), model.ints(node.shape)]);
    case 'bceWithLogits': {
      const [logits, t, weight] = node.inputs;
      return lowerBce(model, [at(logits), at(t), weight === undefined ? undefined : at(weight)]);
    }
    case 'bceWithLogitsGradient': {
      const [dy, logits, t, weight] = node.inputs;
      const weights = weight === undefined ? undefined : at(weight);
      return lowerBceGradient(model, [at(dy), at(logits), at(t), weights], node.shape);
    }
    case 'focalLoss': {
      const [logits, t] = node.inputs;
      return lowerFocal(model, [at(logits), at(t)], node);
    }
    case 'focalLossGradient': {
      const [dy, logits, t] = node.inputs;
      return lowerFocalGradient(model, [at(dy), at(logits), at(t)], node.shape, node);
    }
    case 'smoothL1Loss': {
      const [x, t] = node.inputs;
      return lowerSmoothL1(model, [at(x), at(t)], node.beta);
    }
    case 'smoothL1LossGradient': {
      const [dy, x, t] = node.inputs;
      return lowerSmoothL1Gradient(model, [at(dy), at(x), at(t)], node.shape, node.beta);
    }
    case 'softDiceLoss': {
      const [logits, t] = node.inputs;
      return lowerDice(model, [at(logits), at(t)], shapeAt(logits), node);
    }
    case 'softDiceLossGradient': {
      const [dy, logits, t] = node.inputs;
      return lowerDiceGradient(model, [at(dy), at(logits), at(t)], node.shape, node);
    }
  }
}

/** Every row [R, P] scaled to an L2 norm of at most `clipNorm`. A row that holds NaN or an infinity comes out with NaN. */
export function lowerClip(model: OnnxModel, rows: string, clipNorm: number): string {
  const squares = model.node('ReduceSum', [model.node('Mul', [rows, rows]), model.ints([1])], {
    keepdims: 1,
  });
  const norms = model.node('Sqrt', [squares]);
  const limit = model.float(clipNorm);
  const factor = model.node('Div', [limit, model.node('Max', [norms, limit])]);
  return model.node('Mul', [rows, factor]);
}

function given(inputs: readonly (number | undefined)[]): number[] {
  return inputs.filter((input) => input !== undefined);
}
