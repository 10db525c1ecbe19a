import { putPart, takePart } from '@consilium/weights';
import type { Engine, Program } from './engine.ts';
import { ComputeError } from './error.ts';
import { type Graph, gradientLayoutOf, layoutOf } from './graph.ts';
import type { Optimizer, OptimizerState } from './optimizer.ts';
import { scaleToNorm } from './scale-to-norm.ts';
import { createTurns } from './turns.ts';

/** How a differentiated graph is trained. */
export interface TrainingInit {
  readonly optimizer: Optimizer;
  /** Largest L2 norm of a step's gradient; a longer one is scaled down to it. @default none */
  readonly clipNorm?: number;
  /**
   * How much of what the rule says each trained weight moves, in the order of `gradientLayoutOf`; each from 0 to 1. @default all of it
   */
  readonly shares?: Float32Array;
}

/** Weights and optimizer state at one moment. */
export interface TrainingState {
  /** All parameters, in canonical order (`layoutOf`). */
  readonly weights: Float32Array;
  /** Over the trained parameters (`gradientLayoutOf`). */
  readonly state: OptimizerState;
}

/**
 * A graph that trains: the weights and the optimizer's state lie where the engine computes, and of a step only the outputs come back. Calls take turns.
 */
export interface TrainingProgram {
  /**
   * One step: outputs at the weights before it, gradient, clipping, optimizer.
   * @throws {ComputeError} `BAD_INPUT`, `ENGINE_FAILED`, `OUT_OF_MEMORY`, `CLOSED`; the weights are then those of before. The signal's reason, before the step.
   */
  step(
    inputs: Readonly<Record<string, Float32Array>>,
    options?: { learningRate?: number; signal?: AbortSignal },
  ): Promise<Record<string, Float32Array>>;
  /** What training has reached; the arrays are the caller's. */
  read(): Promise<TrainingState>;
  /** Frees what the program holds. May be called again. */
  close(): Promise<void>;
}

/**
 * Makes a differentiated graph ready to train from `start`, which is copied: by the engine's own `compileTraining` where it has one (engines whose
 * device has memory of its own), else by a program and the optimizer here.
 *
 * @throws {ComputeError} `BAD_GRAPH` for a graph without one gradient for the batch; `BAD_STATE` when `start` is not the graph's; `BAD_INPUT` for other `shares`.
 */
export async function compileTraining(
  engine: Engine,
  graph: Graph,
  init: TrainingInit,
  start: TrainingState,
): Promise<TrainingProgram> {
  checkTraining(graph, init, start);
  const own = {
    weights: start.weights.slice(),
    state: { ...start.state, first: start.state.first.slice(), second: start.state.second.slice() },
  };
  const resident = await engine.compileTraining?.(graph, init, own);
  return resident ?? trainingOf(await engine.compile(graph), graph, init, own);
}

/** Trains a program step by step, the optimizer in JavaScript. `at` is changed in place. */
export function trainingOf(
  program: Program,
  graph: Graph,
  { optimizer, clipNorm, shares }: TrainingInit,
  at: TrainingState,
): TrainingProgram {
  const layout = layoutOf(graph);
  const part = gradientLayoutOf(graph);
  const { weights, state } = at;
  const turns = createTurns();
  return {
    step: (inputs, options = {}) =>
      turns.take(async () => {
        const { signal, learningRate } = options;
        const run = await program.run(inputs, weights, signal && { signal });
        const gradient = run.gradient ?? new Float32Array(part.length);
        if (clipNorm !== undefined) scaleToNorm(gradient, clipNorm);
        const before = takePart(layout, part, weights);
        const moving = before.slice();
        optimizer.step(moving, gradient, state, learningRate === undefined ? {} : { learningRate });
        if (shares !== undefined) {
          for (let i = 0; i < moving.length; i++) {
            const from = before[i] as number;
            moving[i] = from + (shares[i] as number) * ((moving[i] as number) - from);
          }
        }
        putPart(layout, part, weights, moving);
        return run.outputs;
      }),
    read: () =>
      turns.take(async () => ({
        weights: weights.slice(),
        state: { ...state, first: state.first.slice(), second: state.second.slice() },
      })),
    close: () => program.close(),
  };
}

function checkTraining(graph: Graph, init: TrainingInit, { weights, state }: TrainingState): void {
  const { length } = gradientLayoutOf(graph);
  if (graph.perExample !== undefined) {
    throw new ComputeError('BAD_GRAPH', 'the graph has a gradient for each example, not one');
  }
  const { rule } = init.optimizer;
  const second = rule.name === 'adam' ? length : 0;
  if (
    weights.length !== layoutOf(graph).length ||
    state.rule !== rule.name ||
    state.first.length !== length ||
    state.second.length !== second
  ) {
    throw new ComputeError(
      'BAD_STATE',
      `${weights.length} weights and a state of ${state.rule} over ${state.first.length} values do not belong to this graph and ${rule.name}`,
    );
  }
  if (init.shares !== undefined && init.shares.length !== length) {
    throw new ComputeError('BAD_INPUT', `wanted ${length} shares, got ${init.shares.length}`);
  }
}
