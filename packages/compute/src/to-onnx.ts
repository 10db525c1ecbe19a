import { BlockedValues } from './blocked-values.ts';
import { ComputeError } from './error.ts';
import { findFusions } from './find-fusions.ts';
import {
  type Graph,
  type GraphNode,
  gradientLayoutOf,
  imageShape,
  layoutOf,
  nodeAt,
} from './graph.ts';
import { BlockedLowering } from './lower-blocked.ts';
import {
  lowerConv,
  lowerConvInputGradient,
  lowerConvWeightGradientByTaps,
  lowerConvWeightGradientWide,
} from './lower-conv.ts';
import { lowerBce, lowerBceGradient, lowerDice, lowerDiceGradient } from './lower-loss.ts';
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
import { OnnxModel } from './onnx-model.ts';
import { splitConcats } from './split-concats.ts';

export interface ToOnnxInit {
  /** Stores these weights (canonical order) in the model; without them every parameter is an input by its name. */
  readonly weights?: Float32Array;
  /**
   * Which of several equal formulations to emit: `cpu` is what onnxruntime's own CPU kernels run fastest, `portable` keeps to what
   * every provider executes well. Both are standard ONNX. @default 'portable'
   */
  readonly target?: 'cpu' | 'portable';
  /**
   * The channels in a block of onnxruntime's own image layout on this machine (`blockedChannels`). With it, target `cpu` uses
   * that runtime's own operators, and the model is no longer standard ONNX. @default none
   */
  readonly block?: number | undefined;
}

/**
 * The graph as an ONNX model (opset 17, float32, fixed shapes).
 *
 * Inputs and outputs have the graph's names. A differentiated graph has one more output, `gradient`: all trained parameters'
 * gradients flattened into one vector in canonical order (`gradientLayoutOf`).
 *
 * @throws {ComputeError} `BAD_INPUT` when `weights` is not of the layout's length.
 */
export function toOnnx(whole: Graph, init: ToOnnxInit = {}): Uint8Array {
  const { weights, target = 'portable' } = init;
  const block = target === 'cpu' ? init.block : undefined;
  const graph = block === undefined ? whole : splitConcats(whole, block);
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
  const values = new BlockedValues(model, block ?? 1);
  const standard = (node: GraphNode, at: (index: number) => string): string =>
    lower(model, graph, node, at, target);
  const fusions = findFusions(graph);
  const blocked =
    block === undefined
      ? undefined
      : new BlockedLowering({ model, graph, values, fusions }, standard);
  const valueAt = (index: number): string => values.plain(index);
  for (const [index, node] of graph.nodes.entries()) {
    model.layer = node.name;
    if (!blocked?.lower(index)) values.setPlain(index, standard(node, valueAt));
  }
  for (const { name, node } of graph.outputs) {
    model.output(name, valueAt(node), nodeAt(graph.nodes, node).shape);
  }
  if (graph.gradients !== undefined) {
    const flat = graph.gradients.map(({ node }) => model.reshape(valueAt(node), [-1]));
    const joined = model.node('Concat', flat, { axis: 0 });
    model.output('gradient', joined, [gradientLayoutOf(graph).length]);
  }
  return model.finish();
}

function lower(
  model: OnnxModel,
  graph: Graph,
  node: GraphNode,
  at: (index: number) => string,
  target: 'cpu' | 'portable',
): string {
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
    case 'silu': {
      const x = at(node.inputs[0]);
      return model.node('Mul', [x, model.node('Sigmoid', [x])]);
    }
    case 'reluGradient': {
      const [y, dy] = node.inputs;
      // min(y · huge, 1) is the 0/1 mask of where x was positive: onnxruntime has no faster way to it than this operator.
      const mask = model.node('HardSigmoid', [at(y)], {
        alpha: { float: 1e38 },
        beta: { float: 0 },
      });
      return model.node('Mul', [at(dy), mask]);
    }
    case 'sigmoidGradient': {
      const [y, dy] = node.inputs;
      const slope = model.node('Mul', [at(y), model.node('Sub', [model.float(1), at(y)])]);
      return model.node('Mul', [at(dy), slope]);
    }
    case 'siluGradient': {
      const [x, dy] = node.inputs;
      // With s = sigmoid(x) and y = x·s the slope is s + y·(1 − s).
      const s = model.node('Sigmoid', [at(x)]);
      const y = model.node('Mul', [at(x), s]);
      const rest = model.node('Mul', [y, model.node('Sub', [model.float(1), s])]);
      return model.node('Mul', [at(dy), model.node('Add', [s, rest])]);
    }
    case 'conv2d': {
      const [x, w, b] = node.inputs;
      const kernel = imageShape(shapeAt(w), node.name)[2];
      const inputs = b === undefined ? [at(x), at(w)] : [at(x), at(w), at(b)];
      return lowerConv(model, inputs, kernel, node);
    }
    case 'conv2dInputGradient': {
      const [dy, w] = node.inputs;
      const shapes = { x: node.shape, w: shapeAt(w), dy: shapeAt(dy) };
      return lowerConvInputGradient(model, [at(dy), at(w)], shapes, node);
    }
    case 'conv2dWeightGradient': {
      const [x, dy] = node.inputs;
      const shapes = { x: shapeAt(x), w: node.shape, dy: shapeAt(dy) };
      const lowerGradient =
        target === 'cpu' ? lowerConvWeightGradientWide : lowerConvWeightGradientByTaps;
      return lowerGradient(model, [at(x), at(dy)], shapes, node);
    }
    case 'channelSum':
      return lowerChannelSum(model, at(node.inputs[0]), shapeAt(node.inputs[0]));
    case 'groupNorm': {
      const [x, scale, shift] = node.inputs;
      return lowerGroupNorm(model, [at(x), at(scale), at(shift)], node.shape, node);
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
    case 'maxPool2d':
    case 'avgPool2d':
      return lowerPool(
        model,
        node.op === 'maxPool2d' ? 'MaxPool' : 'AveragePool',
        at(node.inputs[0]),
        node.size,
      );
    case 'maxPool2dGradient': {
      const [x, dy] = node.inputs;
      return lowerMaxPoolGradient(model, [at(x), at(dy)], node.size);
    }
    case 'upsample2d':
      return lowerUpsample(model, at(node.inputs[0]), node.factor);
    case 'upsampleBilinear2d':
      return lowerBilinear(model, at(node.inputs[0]));
    case 'upsampleBilinear2dGradient':
      return lowerBilinearGradient(model, at(node.inputs[0]), node.shape);
    case 'concat':
      return model.node('Concat', node.inputs.map(at), { axis: 1 });
    case 'sliceChannels':
      return model.node('Slice', [
        at(node.inputs[0]),
        model.ints([node.from]),
        model.ints([node.to]),
        model.ints([1]),
      ]);
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
    case 'softDiceLoss': {
      const [logits, t] = node.inputs;
      return lowerDice(model, [at(logits), at(t)], node);
    }
    case 'softDiceLossGradient': {
      const [dy, logits, t] = node.inputs;
      return lowerDiceGradient(model, [at(dy), at(logits), at(t)], node.shape, node);
    }
  }
}
