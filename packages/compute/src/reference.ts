import { createFeedCheck, createProgram, type Engine, type Program } from './engine.ts';
import { ComputeError } from './error.ts';
import { type Graph, gradientLayoutOf, layoutOf } from './graph.ts';
import { evaluate } from './reference-evaluate.ts';

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
  const gradient = joinGradients(
    graph,
    graph.gradients.map(({ node }) => at(node)),
  );
  return { outputs, gradient };
}

/** All gradients as one vector in canonical order, or one row of that form for each example, clipped where the graph says so. */
function joinGradients(graph: Graph, gradients: readonly Float64Array[]): Float64Array {
  const { length } = gradientLayoutOf(graph);
  const { examples, clipNorm } = graph.perExample ?? { examples: 1, clipNorm: null };
  const joined = new Float64Array(examples * length);
  for (let example = 0; example < examples; example++) {
    const row = joined.subarray(example * length, (example + 1) * length);
    let offset = 0;
    for (const gradient of gradients) {
      const part = gradient.length / examples;
      row.set(gradient.subarray(example * part, (example + 1) * part), offset);
      offset += part;
    }
    const norm = Math.sqrt(row.reduce((sum, value) => sum + value ** 2, 0));
    if (clipNorm !== null && norm > clipNorm)
      for (const i of row.keys()) row[i] = ((row[i] ?? 0) * clipNorm) / norm;
  }
  return joined;
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
