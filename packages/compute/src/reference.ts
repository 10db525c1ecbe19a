import { createFeedCheck, createProgram, type Engine, type Program } from './engine.ts';
import { ComputeError } from './error.ts';
import { type Graph, type GraphNode, gradientLayoutOf, layoutOf, nodeAt, sizeOf } from './graph.ts';
import { convForward, convInputGradient, convWeightGradient } from './reference-conv.ts';
import {
  avgPool,
  channelSum,
  concatChannels,
  maxPool,
  maxPoolGradient,
  sliceChannels,
  upsample,
  upsampleBilinear,
  upsampleBilinearGradient,
} from './reference-image.ts';
import { bceGradient, bceLoss, diceGradient, diceLoss, sigmoid } from './reference-loss.ts';
import { normForward, normInputGradient, normScaleGradient } from './reference-norm.ts';

/** Results in float64. */
export interface ReferenceResult {
  readonly outputs: Record<string, Float64Array>;
  readonly gradient?: Float64Array;
}

/**
 * Evaluates `graph` in float64, operator by operator as the definitions read. It is what other engines are
 * measured against, and many thousand times slower.
 *
 * @throws {ComputeError} `BAD_INPUT` as {@link Program.run}.
 */
export function interpret(
  graph: Graph,
  inputs: Readonly<Record<string, Float64Array>>,
  weights: Float64Array,
): ReferenceResult {
  createFeedCheck(graph)(inputs, weights);
  const slots = new Map(layoutOf(graph).tensors.map((slot) => [slot.name, slot]));
  const values: Float64Array[] = [];
  for (const node of graph.nodes) {
    const slot = slots.get(node.name);
    if (node.op === 'input') values.push(inputs[node.name] ?? new Float64Array());
    else if (node.op === 'parameter' && slot !== undefined) {
      values.push(weights.subarray(slot.offset, slot.offset + slot.length));
    } else values.push(evaluate(graph, node, values));
  }
  const at = (index: number): Float64Array => values[index] ?? new Float64Array();
  const outputs = Object.fromEntries(
    graph.outputs.map(({ name, node }) => [name, at(node).slice()]),
  );
  if (graph.gradients === undefined) return { outputs };
  const gradient = new Float64Array(gradientLayoutOf(graph).length);
  let offset = 0;
  for (const { node } of graph.gradients) {
    gradient.set(at(node), offset);
    offset += at(node).length;
  }
  return { outputs, gradient };
}

/** {@link interpret} as an {@link Engine}: computes in float64, rounds what it returns to float32. For tests. */
export function createReferenceEngine(): Engine {
  const open = new Set<Program>();
  let closed = false;
  return {
    name: 'reference',
    async compile(graph) {
      if (closed) throw new ComputeError('CLOSED', 'the engine is closed');
      const program = createProgram(
        graph,
        async (inputs, weights) => {
          const wide = Object.fromEntries(
            Object.entries(inputs).map(([name, value]) => [name, Float64Array.from(value)]),
          );
          const { outputs, gradient } = interpret(graph, wide, Float64Array.from(weights));
          const narrow = Object.fromEntries(
            Object.entries(outputs).map(([name, value]) => [name, Float32Array.from(value)]),
          );
          if (gradient === undefined) return { outputs: narrow };
          return { outputs: narrow, gradient: Float32Array.from(gradient) };
        },
        async () => {
          open.delete(program);
        },
      );
      open.add(program);
      return program;
    },
    async close() {
      closed = true;
      await Promise.all([...open].map((program) => program.close()));
    },
  };
}

function evaluate(graph: Graph, node: GraphNode, values: readonly Float64Array[]): Float64Array {
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
    case 'conv2d': {
      const [x, w, b] = node.inputs;
      const shapes = { x: shapeAt(x), w: shapeAt(w), y: node.shape };
      const y = filled(0);
      const bias = optional(b);
      const [, out = 1, height = 1, width = 1] = node.shape;
      if (bias) for (const i of y.keys()) y[i] = bias[Math.floor(i / (height * width)) % out] ?? 0;
      convForward(shapes, node, at(x), at(w), y);
      return y;
    }
    case 'conv2dInputGradient': {
      const [dy, w] = node.inputs;
      const dx = filled(0);
      const shapes = { x: node.shape, w: shapeAt(w), y: shapeAt(dy) };
      convInputGradient(shapes, node, at(dy), at(w), dx);
      return dx;
    }
    case 'conv2dWeightGradient': {
      const [x, dy] = node.inputs;
      const dw = filled(0);
      const shapes = { x: shapeAt(x), w: node.shape, y: shapeAt(dy) };
      convWeightGradient(shapes, node, at(x), at(dy), dw);
      return dw;
    }
    case 'channelSum':
      return channelSum(shapeAt(node.inputs[0]), at(node.inputs[0]));
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
      return normScaleGradient(shapeAt(x), node, at(x), at(dy));
    }
    case 'maxPool2d':
      return maxPool(shapeAt(node.inputs[0]), node.size, at(node.inputs[0]));
    case 'avgPool2d':
      return avgPool(shapeAt(node.inputs[0]), node.size, at(node.inputs[0]));
    case 'maxPool2dGradient':
      return maxPoolGradient(node.shape, node.size, at(node.inputs[0]), at(node.inputs[1]));
    case 'upsample2d':
      return upsample(node.shape, node.factor, at(node.inputs[0]));
    case 'upsampleBilinear2d':
      return upsampleBilinear(shapeAt(node.inputs[0]), at(node.inputs[0]));
    case 'upsampleBilinear2dGradient':
      return upsampleBilinearGradient(node.shape, at(node.inputs[0]));
    case 'concat':
      return concatChannels(node.inputs.map(shapeAt), node.inputs.map(at));
    case 'sliceChannels':
      return sliceChannels(shapeAt(node.inputs[0]), node, at(node.inputs[0]));
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
