import { dependents, inputsOf } from './dependents.ts';
import { ComputeError } from './error.ts';
import {
  type Graph,
  type GraphNode,
  geometryOf,
  gridShape,
  nodeAt,
  type Operation,
  type Shape,
  sizeOf,
} from './graph.ts';
import { checkSeparable } from './separable.ts';

export interface DifferentiateInit {
  /** Names of the parameters that are trained, in any order; the others are frozen. @default all */
  readonly trained?: readonly string[];
  /**
   * Divides the batch into `examples` of neighbouring samples, and gives the gradient of each one's share of the loss by itself: what their sum
   * would be without it. With `clipNorm` each example's gradient is scaled to at most that L2 norm, over all trained parameters.
   * A loss that is a mean over the batch gives every example 1 / `examples` of its own mean. @default one gradient for the batch
   * @see Goodfellow 2015, Efficient Per-Example Gradient Computations
   */
  readonly perExample?: { readonly examples: number; readonly clipNorm?: number };
}

/**
 * Reverse-mode differentiation: `graph` with, after its own nodes, those that compute the gradient of the scalar
 * output `lossOutput` with respect to every trained parameter, named by `gradients` in canonical order.
 *
 * The outputs of `graph` stay. A trained parameter that the loss does not depend on gets zeros. Work is added only on
 * paths from a trained parameter to the loss: nothing flows back to inputs, nor beyond the first trained layer.
 *
 * @throws {ComputeError} `NOT_DIFFERENTIABLE` when there is no such output, when it is not a scalar, when a name in `trained` is no
 * parameter's or there is none, or when `graph` was differentiated before (second derivatives are not built); by example also when the
 * loss is no sum over samples, or the batch does not divide.
 */
export function differentiate(
  graph: Graph,
  lossOutput: string,
  init: DifferentiateInit = {},
): Graph {
  if (graph.gradients !== undefined) {
    throw new ComputeError('NOT_DIFFERENTIABLE', 'the graph was differentiated before');
  }
  const loss = graph.outputs.find(({ name }) => name === lossOutput);
  if (loss === undefined) {
    throw new ComputeError('NOT_DIFFERENTIABLE', `the graph has no output ${lossOutput}`);
  }
  if (nodeAt(graph.nodes, loss.node).shape.length !== 0) {
    throw new ComputeError('NOT_DIFFERENTIABLE', `output ${lossOutput} is not a scalar`);
  }
  const trained = trainedOf(graph, init.trained);
  const examples = init.perExample?.examples ?? null;
  if (examples !== null) checkSeparable(graph, loss.node, new Set(trained), examples);
  const tape = new Tape(graph.nodes, new Set(trained), examples);
  tape.accumulate(loss.node, tape.constant(1, []));
  for (let index = loss.node; index >= 0; index--) {
    const dy = tape.gradientOf(index);
    if (dy !== undefined) pullBack(tape, index, dy);
  }
  const gradients = trained.map((parameter) => ({
    parameter,
    node: tape.gradientOf(parameter) ?? tape.constant(0, tape.gradientShape(parameter)),
  }));
  const differentiated = { ...graph, nodes: tape.nodes, gradients };
  if (examples === null) return differentiated;
  return {
    ...differentiated,
    perExample: { examples, clipNorm: init.perExample?.clipNorm ?? null },
  };
}

function trainedOf(
  { nodes, parameters }: Graph,
  names: readonly string[] | undefined,
): readonly number[] {
  if (names === undefined) return parameters;
  const left = new Set(names);
  const trained = parameters.filter((index) => left.delete(nodeAt(nodes, index).name));
  const [unknown] = left;
  if (unknown !== undefined) {
    throw new ComputeError('NOT_DIFFERENTIABLE', `the graph has no parameter ${unknown}`);
  }
  if (trained.length === 0) {
    throw new ComputeError('NOT_DIFFERENTIABLE', 'no parameter is trained');
  }
  return trained;
}

/** The nodes so far, and for every forward node the node of the loss's gradient by it. */
class Tape {
  readonly nodes: GraphNode[];
  readonly #gradients = new Map<number, number>();
  /** Nodes that are, or depend on, a trained parameter. */
  readonly #moved: ReadonlySet<number>;
  /** Nodes that depend on an input, whose first dimension is the batch's. */
  readonly #ofBatch: ReadonlySet<number>;
  readonly examples: number | null;

  constructor(nodes: readonly GraphNode[], trained: ReadonlySet<number>, examples: number | null) {
    this.nodes = [...nodes];
    this.examples = examples;
    this.#moved = dependents(nodes, trained);
    this.#ofBatch = dependents(nodes, inputsOf(nodes));
  }

  node(index: number): GraphNode {
    return nodeAt(this.nodes, index);
  }

  gradientOf(index: number): number | undefined {
    return this.#gradients.get(index);
  }

  /** Whether a trained parameter lies behind a node, so that its gradient is wanted. */
  wants(index: number): boolean {
    return this.#moved.has(index);
  }

  /** The shape of what flows back to a node: its own, and by example one more of it for each where it is no part of the batch. */
  gradientShape(index: number): Shape {
    const { shape } = this.node(index);
    return this.examples === null || this.#ofBatch.has(index) ? shape : [this.examples, ...shape];
  }

  push(operation: Operation, shape: Shape, name: string): number {
    this.nodes.push({ ...operation, shape, name });
    return this.nodes.length - 1;
  }

  constant(value: number, shape: Shape): number {
    return this.push({ op: 'constant', inputs: [], value }, shape, `constant ${value}`);
  }

  /** Adds `gradient` to what has flowed back to the node at `index`. */
  accumulate(index: number, gradient: number): void {
    if (!this.wants(index)) return;
    const before = this.#gradients.get(index);
    const name = `gradient of ${this.node(index).name}`;
    const sum =
      before === undefined
        ? gradient
        : this.push({ op: 'add', inputs: [before, gradient] }, this.gradientShape(index), name);
    this.#gradients.set(index, sum);
  }
}

/** Sends `dy`, the gradient at the node's result, on to what the node reads. */
function pullBack(tape: Tape, index: number, dy: number): void {
  const node = tape.node(index);
  const name = `gradient of ${node.name}`;
  const send = (target: number | undefined, make: () => Operation): void => {
    if (target === undefined || !tape.wants(target)) return;
    tape.accumulate(target, tape.push(make(), tape.gradientShape(target), name));
  };
  const { examples } = tape;
  switch (node.op) {
    case 'input':
    case 'parameter':
    case 'constant':
      return;
    case 'add':
      for (const input of node.inputs) tape.accumulate(input, dy);
      return;
    case 'mul': {
      const [a, b] = node.inputs;
      send(a, () => ({ op: 'mul', inputs: [dy, b] }));
      send(b, () => ({ op: 'mul', inputs: [dy, a] }));
      return;
    }
    case 'scale':
      send(node.inputs[0], () => ({ op: 'scale', inputs: [dy], factor: node.factor }));
      return;
    case 'relu':
      send(node.inputs[0], () => ({ op: 'reluGradient', inputs: [index, dy] }));
      return;
    case 'silu':
      send(node.inputs[0], () => ({ op: 'siluGradient', inputs: [node.inputs[0], dy] }));
      return;
    case 'sigmoid':
      send(node.inputs[0], () => ({ op: 'sigmoidGradient', inputs: [index, dy] }));
      return;
    case 'softmax':
      send(node.inputs[0], () => ({ op: 'softmaxGradient', inputs: [index, dy] }));
      return;
    case 'leakyRelu': {
      const { slope } = node;
      send(node.inputs[0], () => ({ op: 'leakyReluGradient', inputs: [index, dy], slope }));
      return;
    }
    case 'dropout': {
      const [x, seed] = node.inputs;
      const { rate, stream } = node;
      send(x, () => ({ op: 'dropout', inputs: [dy, seed], rate, stream }));
      return;
    }
    case 'addChannels': {
      const [x, b] = node.inputs;
      tape.accumulate(x, dy);
      send(b, () => ({ op: 'channelSum', inputs: [dy], examples }));
      return;
    }
    case 'conv': {
      const [x, w, b] = node.inputs;
      const geometry = geometryOf(node);
      send(b, () => ({ op: 'channelSum', inputs: [dy], examples }));
      send(w, () => ({ op: 'convWeightGradient', inputs: [x, dy], ...geometry, examples }));
      send(x, () => ({ op: 'convTranspose', inputs: [dy, w], ...geometry }));
      return;
    }
    case 'convTranspose': {
      const [y, w] = node.inputs;
      const geometry = geometryOf(node);
      send(w, () => ({ op: 'convWeightGradient', inputs: [dy, y], ...geometry, examples }));
      send(y, () => ({ op: 'conv', inputs: [dy, w], ...geometry }));
      return;
    }
    case 'dense': {
      const [x, w, b] = node.inputs;
      send(b, () => ({ op: 'channelSum', inputs: [dy], examples }));
      send(w, () => ({ op: 'denseWeightGradient', inputs: [x, dy], examples }));
      send(x, () => ({ op: 'denseInputGradient', inputs: [dy, w] }));
      return;
    }
    case 'groupNorm': {
      const [x, scale, shift] = node.inputs;
      const { groups, epsilon } = node;
      send(shift, () => ({ op: 'channelSum', inputs: [dy], examples }));
      const norm = { groups, epsilon, examples };
      send(scale, () => ({ op: 'groupNormScaleGradient', inputs: [x, dy], ...norm }));
      send(x, () => ({ op: 'groupNormInputGradient', inputs: [x, scale, dy], groups, epsilon }));
      return;
    }
    case 'maxPool': {
      const { size } = node;
      const [x] = node.inputs;
      send(x, () => ({ op: 'maxPoolGradient', inputs: [x, dy], size }));
      return;
    }
    case 'avgPool': {
      const [x] = node.inputs;
      if (!tape.wants(x)) return;
      const { shape } = tape.node(x);
      const spread = tape.push({ op: 'upsample', inputs: [dy], factor: node.size }, shape, name);
      send(x, () => ({ op: 'scale', inputs: [spread], factor: 1 / sizeOf(node.size) }));
      return;
    }
    case 'upsample': {
      const [x] = node.inputs;
      if (!tape.wants(x)) return;
      const { shape } = tape.node(x);
      const pooled = tape.push({ op: 'avgPool', inputs: [dy], size: node.factor }, shape, name);
      send(x, () => ({ op: 'scale', inputs: [pooled], factor: sizeOf(node.factor) }));
      return;
    }
    case 'upsampleBilinear2d':
      send(node.inputs[0], () => ({ op: 'upsampleBilinear2dGradient', inputs: [dy] }));
      return;
    case 'concat': {
      let from = 0;
      for (const input of node.inputs) {
        const to = from + gridShape(tape.node(input).shape, name)[1];
        const part = { axis: 1, from, to };
        send(input, () => ({ op: 'slice', inputs: [dy], ...part }));
        from = to;
      }
      return;
    }
    case 'slice': {
      const [x] = node.inputs;
      const { axis, from, to } = node;
      const after = (tape.node(x).shape[axis] ?? 0) - to;
      send(x, () => ({ op: 'pad', inputs: [dy], axis, before: from, after }));
      return;
    }
    case 'pad': {
      const [x] = node.inputs;
      const { axis, before } = node;
      const to = before + (tape.node(x).shape[axis] ?? 0);
      send(x, () => ({ op: 'slice', inputs: [dy], axis, from: before, to }));
      return;
    }
    case 'reshape':
      send(node.inputs[0], () => ({ op: 'reshape', inputs: [dy] }));
      return;
    case 'sum':
      send(node.inputs[0], () => ({ op: 'fill', inputs: [dy] }));
      return;
    case 'mean': {
      const [x] = node.inputs;
      if (!tape.wants(x)) return;
      const factor = 1 / sizeOf(tape.node(x).shape);
      const share = tape.push({ op: 'scale', inputs: [dy], factor }, [], name);
      send(x, () => ({ op: 'fill', inputs: [share] }));
      return;
    }
    case 'bceWithLogits': {
      const [logits, target, weight] = node.inputs;
      refuseTrained(tape, node, [target, weight]);
      send(logits, () => ({
        op: 'bceWithLogitsGradient',
        inputs: weight === undefined ? [dy, logits, target] : [dy, logits, target, weight],
      }));
      return;
    }
    case 'focalLoss': {
      const [logits, target] = node.inputs;
      const { alpha, gamma } = node;
      refuseTrained(tape, node, [target]);
      const focal = { alpha, gamma };
      send(logits, () => ({ op: 'focalLossGradient', inputs: [dy, logits, target], ...focal }));
      return;
    }
    case 'smoothL1Loss': {
      const [x, target] = node.inputs;
      const { beta } = node;
      refuseTrained(tape, node, [target]);
      send(x, () => ({ op: 'smoothL1LossGradient', inputs: [dy, x, target], beta }));
      return;
    }
    case 'softDiceLoss': {
      const [logits, target] = node.inputs;
      const { over, smooth } = node;
      refuseTrained(tape, node, [target]);
      send(logits, () => ({
        op: 'softDiceLossGradient',
        inputs: [dy, logits, target],
        over,
        smooth,
      }));
      return;
    }
    default:
      throw new ComputeError('NOT_DIFFERENTIABLE', `${node.name}: ${node.op} has no gradient`);
  }
}

// A loss whose target depends on parameters would silently lose that part of the gradient.
function refuseTrained(
  tape: Tape,
  { name }: GraphNode,
  targets: readonly (number | undefined)[],
): void {
  if (targets.some((target) => target !== undefined && tape.wants(target))) {
    throw new ComputeError('NOT_DIFFERENTIABLE', `${name}: its target depends on a parameter`);
  }
}
