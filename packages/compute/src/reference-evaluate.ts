import { dropoutMask } from './dropout.ts';
import { ComputeError } from './error.ts';
import { type Graph, type GraphNode, gridShape, nodeAt, sizeOf } from './graph.ts';
import { convForward, convTranspose, convWeightGradient } from './reference-conv.ts';
import { denseForward, denseInputGradient, denseWeightGradient } from './reference-dense.ts';
import {
  avgPool,
  channelSum,
  concatChannels,
  maxPool,
  maxPoolGradient,
  upsample,
  upsampleBilinear,
  upsampleBilinearGradient,
  window,
} from './reference-image.ts';
import {
  bceGradient,
  bceLoss,
  diceGradient,
  diceLoss,
  focalGradient,
  focalLoss,
  sigmoid,
  smoothL1Gradient,
  smoothL1Loss,
} from './reference-loss.ts';
import { normForward, normInputGradient, normScaleGradient } from './reference-norm.ts';
import { softmax, softmaxGradient } from './reference-softmax.ts';

/** One operator's result in float64, as its definition reads, from the results of the nodes before it. */
export function evaluate(
  graph: Graph,
  node: GraphNode,
  values: readonly Float64Array[],
): Float64Array {
  const at = (index: number): Float64Array => values[index] ?? new Float64Array();
  const optional = (index?: number): Float64Array | undefined =>
    index === undefined ? undefined : at(index);
  const shapeAt = (index: number): readonly number[] => nodeAt(graph.nodes, index).shape;
  const scalar = (index: number): number => at(index)[0] ?? 0;
  const filled = (value: number): Float64Array => new Float64Array(sizeOf(node.shape)).fill(value);
  switch (node.op) {
    case 'input':
    case 'parameter':
      throw new ComputeError('BAD_INPUT', `${node.name} was not given`);
    case 'constant':
      return filled(node.value);
    case 'add':
    case 'mul': {
      const [a, b] = [at(node.inputs[0]), at(node.inputs[1])];
      return node.op === 'add'
        ? a.map((value, i) => value + (b[i] ?? 0))
        : a.map((value, i) => value * (b[i] ?? 0));
    }
    case 'scale':
      return at(node.inputs[0]).map((value) => value * node.factor);
    case 'relu':
      return at(node.inputs[0]).map((value) => Math.max(value, 0));
    case 'sigmoid':
      return at(node.inputs[0]).map(sigmoid);
    case 'silu':
      return at(node.inputs[0]).map((value) => value * sigmoid(value));
    case 'reluGradient': {
      const y = at(node.inputs[0]);
      return at(node.inputs[1]).map((dy, i) => ((y[i] ?? 0) > 0 ? dy : 0));
    }
    case 'sigmoidGradient': {
      const y = at(node.inputs[0]);
      return at(node.inputs[1]).map((dy, i) => dy * (y[i] ?? 0) * (1 - (y[i] ?? 0)));
    }
    case 'siluGradient': {
      const x = at(node.inputs[0]);
      return at(node.inputs[1]).map((dy, i) => {
        const s = sigmoid(x[i] ?? 0);
        return dy * s * (1 + (x[i] ?? 0) * (1 - s));
      });
    }
    case 'addChannels': {
      const b = at(node.inputs[1]);
      const [, channels, spatial] = gridShape(node.shape, node.name);
      const pixels = sizeOf(spatial);
      return at(node.inputs[0]).map((x, i) => x + (b[Math.floor(i / pixels) % channels] ?? 0));
    }
    case 'leakyRelu':
      return at(node.inputs[0]).map((x) => (x > 0 ? x : node.slope * x));
    case 'leakyReluGradient': {
      const y = at(node.inputs[0]);
      return at(node.inputs[1]).map((dy, i) => ((y[i] ?? 0) > 0 ? dy : node.slope * dy));
    }
    case 'softmax':
      return softmax(node.shape, at(node.inputs[0]));
    case 'softmaxGradient':
      return softmaxGradient(node.shape, at(node.inputs[0]), at(node.inputs[1]));
    case 'dropout': {
      const x = at(node.inputs[0]);
      const mask = dropoutMask(scalar(node.inputs[1]), node.stream, x.length, node.rate);
      return x.map((value, i) => value * (mask[i] ?? 0));
    }
    case 'conv': {
      const [x, w, b] = node.inputs;
      const shapes = { x: shapeAt(x), w: shapeAt(w), y: node.shape };
      const y = filled(0);
      const bias = optional(b);
      const [, out, spatial] = gridShape(node.shape, node.name);
      const pixels = sizeOf(spatial);
      if (bias) for (const i of y.keys()) y[i] = bias[Math.floor(i / pixels) % out] ?? 0;
      convForward(shapes, node, at(x), at(w), y);
      return y;
    }
    case 'convTranspose': {
      const [y, w] = node.inputs;
      const x = filled(0);
      convTranspose({ x: node.shape, w: shapeAt(w), y: shapeAt(y) }, node, at(y), at(w), x);
      return x;
    }
    case 'convWeightGradient': {
      const [x, dy] = node.inputs;
      const dw = filled(0);
      const { examples } = node;
      const w = examples === null ? node.shape : node.shape.slice(1);
      const shapes = { x: shapeAt(x), w, y: shapeAt(dy) };
      convWeightGradient(shapes, node, examples ?? 1, at(x), at(dy), dw);
      return dw;
    }
    case 'dense':
      return denseForward(
        node.shape,
        at(node.inputs[0]),
        at(node.inputs[1]),
        optional(node.inputs[2]),
      );
    case 'denseInputGradient':
      return denseInputGradient(node.shape, at(node.inputs[0]), at(node.inputs[1]));
    case 'denseWeightGradient': {
      const [x, dy] = node.inputs;
      return denseWeightGradient(shapeAt(x), node.examples ?? 1, at(x), at(dy));
    }
    case 'channelSum':
      return channelSum(shapeAt(node.inputs[0]), node.examples ?? 1, at(node.inputs[0]));
    case 'groupNorm': {
      const [x, scale, shift] = node.inputs;
      return normForward(node.shape, node, at(x), at(scale), at(shift));
    }
    case 'groupNormInputGradient': {
      const [x, scale, dy] = node.inputs;
      return normInputGradient(node.shape, node, at(x), at(scale), at(dy));
    }
    case 'groupNormScaleGradient': {
      const [x, dy] = node.inputs;
      return normScaleGradient(shapeAt(x), node, node.examples ?? 1, at(x), at(dy));
    }
    case 'maxPool':
      return maxPool(shapeAt(node.inputs[0]), node.size, at(node.inputs[0]));
    case 'avgPool':
      return avgPool(shapeAt(node.inputs[0]), node.size, at(node.inputs[0]));
    case 'maxPoolGradient':
      return maxPoolGradient(node.shape, node.size, at(node.inputs[0]), at(node.inputs[1]));
    case 'upsample':
      return upsample(node.shape, node.factor, at(node.inputs[0]));
    case 'upsampleBilinear2d':
      return upsampleBilinear(shapeAt(node.inputs[0]), at(node.inputs[0]));
    case 'upsampleBilinear2dGradient':
      return upsampleBilinearGradient(node.shape, at(node.inputs[0]));
    case 'concat':
      return concatChannels(node.inputs.map(shapeAt), node.inputs.map(at));
    case 'slice':
      return window(shapeAt(node.inputs[0]), node, at(node.inputs[0]));
    case 'pad': {
      const shape = shapeAt(node.inputs[0]);
      const to = (shape[node.axis] ?? 0) + node.after;
      return window(shape, { axis: node.axis, from: -node.before, to }, at(node.inputs[0]));
    }
    case 'reshape':
      return at(node.inputs[0]);
    case 'sum':
    case 'mean': {
      const x = at(node.inputs[0]);
      const total = x.reduce((sum, value) => sum + value, 0);
      return filled(node.op === 'sum' ? total : total / x.length);
    }
    case 'fill':
      return filled(scalar(node.inputs[0]));
    case 'bceWithLogits': {
      const [z, t, weight] = node.inputs;
      return filled(bceLoss(at(z), at(t), optional(weight)));
    }
    case 'bceWithLogitsGradient': {
      const [dy, z, t, weight] = node.inputs;
      return bceGradient(scalar(dy), at(z), at(t), optional(weight));
    }
    case 'focalLoss':
      return filled(focalLoss(node, at(node.inputs[0]), at(node.inputs[1])));
    case 'focalLossGradient': {
      const [dy, z, t] = node.inputs;
      return focalGradient(node, scalar(dy), at(z), at(t));
    }
    case 'smoothL1Loss':
      return filled(smoothL1Loss(node.beta, at(node.inputs[0]), at(node.inputs[1])));
    case 'smoothL1LossGradient': {
      const [dy, x, t] = node.inputs;
      return smoothL1Gradient(node.beta, scalar(dy), at(x), at(t));
    }
    case 'softDiceLoss': {
      const [z, t] = node.inputs;
      return filled(diceLoss(shapeAt(z), node, at(z), at(t)));
    }
    case 'softDiceLossGradient': {
      const [dy, z, t] = node.inputs;
      return diceGradient(node.shape, node, scalar(dy), at(z), at(t));
    }
  }
}
