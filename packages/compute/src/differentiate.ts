import { ComputeError } from './error.ts';
import {
  type Graph,
  type GraphNode,
  imageShape,
  nodeAt,
  type Operation,
  type Shape,
  sizeOf,
} from './graph.ts';

export interface DifferentiateInit {
  /** Names of the parameters that are trained, in any order; the others are frozen. @default all */
  readonly trained?: readonly string[];
}

/**
 * Reverse-mode differentiation: `graph` with, after its own nodes, those that compute the gradient of the scalar
 * output `lossOutput` with respect to every trained parameter, named by `gradients` in canonical order.
 *
 * The outputs of `graph` stay. A trained parameter that the loss does not depend on gets zeros. Work is added only on
 * paths from a trained parameter to the loss: nothing flows back to inputs, nor beyond the first trained layer.
 *
 * @throws {ComputeError} `NOT_DIFFERENTIABLE` when there is no such output, when it is not a scalar, when a name in `trained` is no
 * parameter's or there is none, or when `graph` was differentiated before (second derivatives are not built).
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
  const tape = new Tape(graph.nodes, new Set(trained));
  tape.accumulate(loss.node, tape.constant(1, []));
  for (let index = loss.node; index >= 0; index--) {
    const dy = tape.gradientOf(index);
    if (dy !== undefined) pullBack(tape, index, dy);
  }
  const gradients = trained.map((parameter) => ({
    parameter,
    node: tape.gradientOf(parameter) ?? tape.constant(0, tape.node(parameter).shape),
  }));
  return { ...graph, nodes: tape.nodes, gradients };
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
  readonly #moved: Set<number>;

  constructor(nodes: readonly GraphNode[], trained: ReadonlySet<number>) {
    this.nodes = [...nodes];
    this.#moved = new Set(trained);
    for (const [index, node] of nodes.entries()) {
      const inputs: readonly (number | undefined)[] = node.inputs;
      if (inputs.some((input) => input !== undefined && this.#moved.has(input))) {
        this.#moved.add(index);
      }
    }
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
    const { name, shape } = this.node(index);
    const sum =
      before === undefined
        ? gradient
        : this.push({ op: 'add', inputs: [before, gradient] }, shape, `gradient of ${name}`);
    this.#gradients.set(index, sum);
  }
}

/** Sends `dy`, the gradient at the node's result, on to what the node reads. */
function pullBack(tape: Tape, index: number, dy: number): void {
  const node = tape.node(index);
  const name = `gradient of ${node.name}`;
  const send = (target: number | undefined, make: () => Operation): void => {
    if (target === undefined || !tape.wants(target)) return;
    tape.accumulate(target, tape.push(make(), tape.node(target).shape, name));
  };
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
    case 'conv2d': {
      const [x, w, b] = node.inputs;
      const { stride, padding } = node;
      send(b, () => ({ op: 'channelSum', inputs: [dy] }));
      send(w, () => ({ op: 'conv2dWeightGradient', inputs: [x, dy], stride, padding }));
      send(x, () => ({ op: 'conv2dInputGradient', inputs: [dy, w], stride, padding }));
      return;
    }
    case 'groupNorm': {
      const [x, scale, shift] = node.inputs;
      const { groups, epsilon } = node;
      send(shift, () => ({ op: 'channelSum', inputs: [dy] }));
      send(scale, () => ({ op: 'groupNormScaleGradient', inputs: [x, dy], groups, epsilon }));
      send(x, () => ({ op: 'groupNormInputGradient', inputs: [x, scale, dy], groups, epsilon }));
      return;
    }
    case 'maxPool2d': {
      const { size } = node;
      const [x] = node.inputs;
      send(x, () => ({ op: 'maxPool2dGradient', inputs: [x, dy], size }));
      return;
    }
    case 'avgPool2d': {
      const [x] = node.inputs;
      if (!tape.wants(x)) return;
      const { shape } = tape.node(x);
      const spread = tape.push({ op: 'upsample2d', inputs: [dy], factor: node.size }, shape, name);
      send(x, () => ({ op: 'scale', inputs: [spread], factor: 1 / node.size ** 2 }));
      return;
    }
    case 'upsample2d': {
      const [x] = node.inputs;
      if (!tape.wants(x)) return;
      const { shape } = tape.node(x);
      const pooled = tape.push({ op: 'avgPool2d', inputs: [dy], size: node.factor }, shape, name);
      send(x, () => ({ op: 'scale', inputs: [pooled], factor: node.factor ** 2 }));
      return;
    }
    case 'upsampleBilinear2d':
      send(node.inputs[0], () => ({ op: 'upsampleBilinear2dGradient', inputs: [dy] }));
      return;
    case 'concat': {
      let from = 0;
      for (const input of node.inputs) {
        const to = from + imageShape(tape.node(input).shape, name)[1];
        const part = { from, to };
        send(input, () => ({ op: 'sliceChannels', inputs: [dy], ...part }));
        from = to;
      }
      return;
    }
    case 'sliceChannels': {
      const [x] = node.inputs;
      if (!tape.wants(x)) return;
      const [n, c, h, w] = imageShape(tape.node(x).shape, name);
      const before = node.from > 0 ? [tape.constant(0, [n, node.from, h, w])] : [];
      const after = node.to < c ? [tape.constant(0, [n, c - node.to, h, w])] : [];
      send(x, () => ({ op: 'concat', inputs: [...before, dy, ...after] }));
      return;
    }
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
