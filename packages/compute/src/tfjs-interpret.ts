import * as tf from '@tensorflow/tfjs-core';
import type { RunResult } from './engine.ts';
import { ComputeError } from './error.ts';
import { type Graph, gradientLayoutOf, layoutOf, nodeAt } from './graph.ts';
import { scaleToNorm } from './scale-to-norm.ts';
import { hold, releaseTensor } from './tfjs-layout.ts';
import { compute, isComputed } from './tfjs-operators.ts';

/** The nodes that some result needs, in order, and after each the nodes that nothing later reads. */
interface Step {
  readonly node: number;
  readonly dying: readonly number[];
}

function planOf(graph: Graph): readonly Step[] {
  const results = [...graph.outputs, ...(graph.gradients ?? [])].map(({ node }) => node);
  const read = new Set(results);
  const steps: Step[] = [];
  for (let node = graph.nodes.length - 1; node >= 0; node--) {
    if (!read.has(node)) continue;
    const inputs: readonly (number | undefined)[] = nodeAt(graph.nodes, node).inputs;
    const dying: number[] = [];
    for (const input of inputs) {
      if (input === undefined || read.has(input)) continue;
      read.add(input);
      dying.push(input);
    }
    steps.push({ node, dying });
  }
  return steps.reverse();
}

/**
 * Makes `graph` ready for the active backend: the returned function evaluates it operator by operator.
 *
 * It computes without interruption and only then waits for the results, so nothing else can come between. A tensor is disposed
 * after its last reader; when the promise settles, however it does, as many tensors are left as were before.
 */
export function createInterpreter(
  graph: Graph,
): (inputs: Readonly<Record<string, Float32Array>>, weights: Float32Array) => Promise<RunResult> {
  const steps = planOf(graph);
  const slots = new Map(layoutOf(graph).tensors.map((slot) => [slot.name, slot]));

  const given = (
    name: string,
    inputs: Readonly<Record<string, Float32Array>>,
    weights: Float32Array,
  ): Float32Array => {
    const slot = slots.get(name);
    const values =
      slot === undefined ? inputs[name] : weights.subarray(slot.offset, slot.offset + slot.length);
    if (values === undefined) throw new ComputeError('BAD_INPUT', `${name} was not given`);
    return values;
  };

  const evaluate = (
    inputs: Readonly<Record<string, Float32Array>>,
    weights: Float32Array,
  ): tf.Tensor[] => {
    const held = new Map<number, tf.Tensor>();
    const tensor = (index: number): tf.Tensor => {
      const found = held.get(index);
      if (found === undefined)
        throw new ComputeError('BAD_GRAPH', `node ${index} is not there yet`);
      return found;
    };
    const frame = { tensor, shape: (index: number) => nodeAt(graph.nodes, index).shape };
    for (const { node: index, dying } of steps) {
      const node = nodeAt(graph.nodes, index);
      held.set(
        index,
        isComputed(node)
          ? compute(node, frame)
          : tf.tidy(() => hold(given(node.name, inputs, weights), node.shape)),
      );
      for (const dead of dying) {
        tensor(dead).dispose();
        held.delete(dead);
      }
    }
    return [...graph.outputs, ...(graph.gradients ?? [])].map(({ node }) =>
      releaseTensor(tensor(node)),
    );
  };

  return async (inputs, weights) => {
    const results = tf.tidy(() => evaluate(inputs, weights));
    try {
      const values = await Promise.all(results.map(read));
      const outputs = Object.fromEntries(
        graph.outputs.map(({ name }, place) => [name, values[place] ?? new Float32Array()]),
      );
      if (graph.gradients === undefined) return { outputs };
      return { outputs, gradient: joinGradients(graph, values.slice(graph.outputs.length)) };
    } finally {
      tf.dispose(results);
    }
  };
}

/** All gradients as one vector in canonical order, or one row of that form for each example, clipped where the graph says so. */
function joinGradients(graph: Graph, gradients: readonly Float32Array[]): Float32Array {
  const { length } = gradientLayoutOf(graph);
  const { examples, clipNorm } = graph.perExample ?? { examples: 1, clipNorm: null };
  const joined = new Float32Array(examples * length);
  for (let example = 0; example < examples; example++) {
    const row = joined.subarray(example * length, (example + 1) * length);
    let offset = 0;
    for (const gradient of gradients) {
      const part = gradient.length / examples;
      row.set(gradient.subarray(example * part, (example + 1) * part), offset);
      offset += part;
    }
    if (clipNorm !== null) scaleToNorm(row, clipNorm);
  }
  return joined;
}

async function read(result: tf.Tensor): Promise<Float32Array> {
  const values = await result.data();
  if (!(values instanceof Float32Array)) {
    throw new ComputeError('ENGINE_FAILED', `wanted float32 values, got ${result.dtype}`);
  }
  return values;
}
