import {
  caseGraph,
  drawFeeds,
  type Engine,
  type Graph,
  interpret,
  operatorCases,
  type RunResult,
  relativeError,
  toSingle,
} from '@consilium/compute';
import { type EngineChoice, openCpu, openEngine } from './kit-engine.ts';

/** Relative L2 distances of one result from another. */
export interface Distance {
  readonly loss: number;
  readonly outputs: number;
  readonly gradient: number;
}

export interface OperatorRow {
  readonly case: number;
  readonly name: string;
  /** Absent for the announcement that a case is about to run: should the driver crash, it was this one. */
  readonly fromCpu?: Distance;
  readonly fromFloat64?: Distance;
}

export interface OperatorSettings extends EngineChoice {
  /** The first case to run. */
  readonly first: number;
}

/** How many cases there are. */
export const operatorCount: number = operatorCases.length;

/** Runs each operator, forward and backward, on the engine, on onnx-cpu and in float64. */
export async function operatorsPart(
  settings: OperatorSettings,
  say: (row: OperatorRow) => void,
): Promise<void> {
  const engine = await openEngine(settings);
  const cpu = await openCpu(settings.threads);
  for (const [index, operator] of operatorCases.entries()) {
    if (index < settings.first) continue;
    say({ case: index, name: operator.name });
    const graph = caseGraph(operator);
    const feeds = drawFeeds(graph, 11);
    const inputs = toSingle(feeds.inputs);
    const weights = Float32Array.from(feeds.weights);
    const got = await runOnce(engine, graph, inputs, weights);
    const onCpu = await runOnce(cpu, graph, inputs, weights);
    const exact = interpret(graph, feeds.inputs, feeds.weights);
    const fromCpu = distanceOf(got, onCpu);
    say({ case: index, name: operator.name, fromCpu, fromFloat64: distanceOf(got, exact) });
  }
}

/** Compiles, runs once, frees. */
export async function runOnce(
  engine: Engine,
  graph: Graph,
  inputs: Readonly<Record<string, Float32Array>>,
  weights: Float32Array,
): Promise<RunResult> {
  const program = await engine.compile(graph);
  const result = await program.run(inputs, weights);
  await program.close();
  return result;
}

interface AnyResult {
  readonly outputs: Readonly<Record<string, ArrayLike<number>>>;
  readonly gradient?: ArrayLike<number>;
}

/** `outputs` is the worst of all that are not the loss. A value that is missing or not a number is infinitely far. */
export function distanceOf(got: AnyResult, wanted: AnyResult): Distance {
  const far = (a: ArrayLike<number> = [], b: ArrayLike<number> = [Number.NaN]): number => {
    const distance = relativeError(a, b);
    return Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
  };
  const names = Object.keys(wanted.outputs).filter((name) => name !== 'loss');
  return {
    loss: far(got.outputs['loss'], wanted.outputs['loss']),
    outputs: Math.max(0, ...names.map((name) => far(got.outputs[name], wanted.outputs[name]))),
    gradient: far(got.gradient, wanted.gradient),
  };
}
