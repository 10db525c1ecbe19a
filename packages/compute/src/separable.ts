import { dependents, inputsOf } from './dependents.ts';
import { ComputeError } from './error.ts';
import { type Graph, type GraphNode, nodeAt } from './graph.ts';

/** The places of an operator's inputs at which a parameter, not the batch, belongs. */
const parameterPlaces: Partial<Record<GraphNode['op'], readonly number[]>> = {
  conv: [1, 2],
  convTranspose: [1],
  dense: [1, 2],
  addChannels: [1],
  groupNorm: [1, 2],
};

/** Operators whose result is a sum over samples, or that keep it one. */
const sums = new Set<GraphNode['op']>([
  'sum',
  'mean',
  'add',
  'scale',
  'bceWithLogits',
  'focalLoss',
  'smoothL1Loss',
  'softDiceLoss',
]);

/**
 * Checks that the gradients of single examples can be told apart: the loss is a sum over samples, the batch divides into `examples`, and every
 * trained parameter meets the batch as a weight, bias, scale or shift. Before that, parameters may only be added and scaled.
 *
 * @throws {ComputeError} `NOT_DIFFERENTIABLE`, naming the layer.
 */
export function checkSeparable(
  { nodes }: Graph,
  loss: number,
  trained: ReadonlySet<number>,
  examples: number,
): void {
  if (!Number.isSafeInteger(examples) || examples < 1) {
    throw new ComputeError('NOT_DIFFERENTIABLE', `a batch has no ${examples} examples`);
  }
  const moved = dependents(nodes, trained);
  const ofBatch = dependents(nodes, inputsOf(nodes));
  for (const index of leadingTo(nodes, loss)) {
    if (!moved.has(index)) continue;
    const node = nodeAt(nodes, index);
    if (ofBatch.has(index)) checkBatchNode(nodes, node, { moved, ofBatch }, examples);
    else if (!['parameter', 'add', 'scale'].includes(node.op)) {
      refuse(node, `${node.op} of parameters has no gradient by example`);
    }
  }
}

function checkBatchNode(
  nodes: readonly GraphNode[],
  node: GraphNode,
  { moved, ofBatch }: { moved: ReadonlySet<number>; ofBatch: ReadonlySet<number> },
  examples: number,
): void {
  const [samples] = node.shape;
  if (samples === undefined) {
    if (!sums.has(node.op)) refuse(node, `${node.op} of a loss is no sum over samples`);
    if (node.op === 'softDiceLoss' && node.over === 'batch') {
      refuse(node, 'a Dice over the whole batch is no sum over samples');
    }
  } else if (samples % examples !== 0) {
    refuse(node, `a batch of ${samples} does not divide into ${examples} examples`);
  }
  const places = parameterPlaces[node.op] ?? [];
  for (const [place, input] of (node.inputs as readonly number[]).entries()) {
    if (moved.has(input) && !ofBatch.has(input) !== places.includes(place)) {
      refuse(
        node,
        `${nodeAt(nodes, input).name} enters at a place that has no gradient by example`,
      );
    }
  }
}

function leadingTo(nodes: readonly GraphNode[], result: number): ReadonlySet<number> {
  const found = new Set([result]);
  for (let index = result; index >= 0; index--) {
    if (!found.has(index)) continue;
    for (const input of nodeAt(nodes, index).inputs as readonly number[]) found.add(input);
  }
  return found;
}

function refuse({ name }: GraphNode, problem: string): never {
  throw new ComputeError('NOT_DIFFERENTIABLE', `${name}: ${problem}`);
}
