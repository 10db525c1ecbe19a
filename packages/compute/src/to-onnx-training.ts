import { type Graph, gradientLayoutOf, layoutOf, nodeAt } from './graph.ts';
import { OnnxModel } from './onnx-model.ts';
import type { OptimizerRule } from './optimizer.ts';
import {
  type Formulation,
  lowerClip,
  lowerJoinedGradient,
  lowerNodes,
  rewriteFor,
} from './to-onnx.ts';
import type { TrainingInit } from './training-program.ts';

/** What an optimizer's rule remembers between steps. */
export function momentsOf({ name }: OptimizerRule): readonly string[] {
  return name === 'adam' ? ['first', 'second'] : ['first'];
}

/** What changes from step to step in a rule: the learning rate, and Adam's factors against the bias of its first moments. */
export function ratesOf(rule: OptimizerRule, learningRate: number, step: number): Float32Array {
  if (rule.name === 'sgd') return Float32Array.of(learningRate);
  const { beta1, beta2 } = rule;
  return Float32Array.of(learningRate, 1 / (1 - beta1 ** step), 1 / (1 - beta2 ** step));
}

/**
 * A whole training step as an ONNX model: forward, backward, clipping and the optimizer.
 *
 * Inputs besides the graph's: `#trained` (the trained weights, flat), `#first` and, for Adam, `#second` (the optimizer's moments), and `#rates`
 * (`ratesOf`). Outputs: the graph's, and `#next/trained`, `#next/first`, `#next/second`. Weights that are not trained are taken from `weights`
 * and lie inside the model.
 */
export function toOnnxTraining(
  whole: Graph,
  { optimizer, clipNorm, shares }: TrainingInit,
  weights: Float32Array,
  formulation: Formulation,
): Uint8Array {
  const graph = rewriteFor(whole, formulation);
  const { rule } = optimizer;
  const model = new OnnxModel();
  const { length } = gradientLayoutOf(graph);
  const names = ['trained', ...momentsOf(rule)];
  for (const index of graph.inputs) {
    const { name, shape } = nodeAt(graph.nodes, index);
    model.input(name, shape);
  }
  for (const name of names) model.input(`#${name}`, [length]);
  model.input('#rates', [ratesOf(rule, 0, 1).length]);

  const valueAt = lowerNodes(model, graph, formulation, parameterReader(model, graph, weights));
  for (const { name, node } of graph.outputs) {
    model.output(name, valueAt(node), nodeAt(graph.nodes, node).shape);
  }
  const raw = lowerJoinedGradient(model, graph, graph.gradients ?? [], valueAt);
  const gradient =
    clipNorm === undefined
      ? raw
      : model.reshape(lowerClip(model, model.reshape(raw, [1, -1]), clipNorm), [-1]);
  const { move, moments } = lowerRule(model, rule, gradient);
  const moved = shares === undefined ? move : model.node('Mul', [move, model.floats(shares)]);
  const results = [model.node('Sub', ['#trained', moved]), ...moments];
  for (const [place, name] of names.entries()) {
    model.output(`#next/${name}`, results[place] ?? '', [length]);
  }
  return model.finish();
}

/** How far down the weights move, and the moments after the step. */
function lowerRule(
  model: OnnxModel,
  rule: OptimizerRule,
  gradient: string,
): { move: string; moments: readonly string[] } {
  const times = (x: string, factor: string | number): string =>
    model.node('Mul', [x, typeof factor === 'number' ? model.float(factor) : factor]);
  const add = (a: string, b: string): string => model.node('Add', [a, b]);
  if (rule.name === 'sgd') {
    const first = add(times('#first', rule.momentum), gradient);
    return { move: times(first, '#rates'), moments: [first] };
  }
  const rate = (place: number): string =>
    model.node('Slice', ['#rates', model.ints([place]), model.ints([place + 1])]);
  const { beta1, beta2, epsilon, weightDecay } = rule;
  const first = add(times('#first', beta1), times(gradient, 1 - beta1));
  const squares = model.node('Mul', [gradient, gradient]);
  const second = add(times('#second', beta2), times(squares, 1 - beta2));
  const deviation = add(model.node('Sqrt', [times(second, rate(2))]), model.float(epsilon));
  const step = model.node('Div', [times(first, rate(1)), deviation]);
  const decayed = weightDecay === 0 ? step : add(step, times('#trained', weightDecay));
  return { move: times(decayed, rate(0)), moments: [first, second] };
}

/** Cuts trained parameters out of their flat vector; stores the others in the model. */
function parameterReader(
  model: OnnxModel,
  graph: Graph,
  weights: Float32Array,
): (name: string) => string {
  const trained = new Map(gradientLayoutOf(graph).tensors.map((slot) => [slot.name, slot]));
  for (const { name, shape, offset, length } of layoutOf(graph).tensors) {
    if (trained.has(name)) continue;
    model.initializer(name, shape, weights.subarray(offset, offset + length));
  }
  return (name) => {
    const slot = trained.get(name);
    if (slot === undefined) return name;
    const { shape, offset, length } = slot;
    const bounds = [model.ints([offset]), model.ints([offset + length])];
    return model.reshape(model.node('Slice', ['#trained', ...bounds]), shape);
  };
}
