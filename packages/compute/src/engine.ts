import { ComputeError } from './error.ts';
import { type Graph, layoutOf, nodeAt, sizeOf } from './graph.ts';
import type { Reader, ReaderInit } from './reader.ts';
import type { TrainingInit, TrainingProgram, TrainingState } from './training-program.ts';
import { createTurns } from './turns.ts';

/**
 * What one run returns: every output by name, and for a differentiated graph the gradient (`gradientLayoutOf(graph)`), one after the other for each
 * example where the graph has gradients by example.
 */
export interface RunResult {
  readonly outputs: Record<string, Float32Array>;
  readonly gradient?: Float32Array;
}

/**
 * A graph made ready to run; its shapes are fixed.
 *
 * Runs of one program take turns: a second `run` waits for the first. The arrays handed in must stay unchanged until
 * the promise settles; those handed out belong to the caller.
 */
export interface Program {
  /**
   * @param inputs every input of the graph by name, row-major.
   * @param weights all parameters in canonical order (`layoutOf(graph)`).
   * @throws {ComputeError} `BAD_INPUT`, `ENGINE_FAILED`, `CLOSED`; the signal's reason when aborted before it started.
   */
  run(
    inputs: Readonly<Record<string, Float32Array>>,
    weights: Float32Array,
    options?: { signal?: AbortSignal },
  ): Promise<RunResult>;
  /** Frees what the program holds, once a run that is under way has ended. May be called again. */
  close(): Promise<void>;
}

/** Something that executes graphs: one device, one numerical library. */
export interface Engine {
  /** For status pages and logs, for instance `onnx-cpu`. */
  readonly name: string;
  /** Whether it computes on a device with memory of its own, for which a few large runs are better than many small ones. @default false */
  readonly isDevice?: boolean;
  /** @throws {ComputeError} `PROVIDER_MISSING`, `ENGINE_FAILED`, `CLOSED`. */
  compile(graph: Graph): Promise<Program>;
  /**
   * A faster way for weights that stay, where the engine has one; call it through the function `compileReader`, which does without, too. `weights` must
   * stay unchanged until the reader is closed.
   *
   * @throws {ComputeError} as `compile`; `BAD_INPUT` when the weights are not of the layout's length.
   */
  compileReader?(graph: Graph, weights: Float32Array, init: ReaderInit): Promise<Reader>;
  /**
   * A way to train with weights that stay on the engine's device, where the engine has one; call it through the function `compileTraining`, which
   * does without, too. `start` is the engine's from then on.
   *
   * @throws {ComputeError} as `compile`.
   */
  compileTraining?(
    graph: Graph,
    init: TrainingInit,
    start: TrainingState,
  ): Promise<TrainingProgram>;
  /** Closes every program and reader that is still open. */
  close(): Promise<void>;
}

/** Checks what a caller hands to a run against the graph. */
export function createFeedCheck(
  graph: Graph,
): (
  inputs: Readonly<Record<string, { readonly length: number }>>,
  weights: { readonly length: number },
) => void {
  const wanted = new Map(
    graph.inputs.map((index) => {
      const { name, shape } = nodeAt(graph.nodes, index);
      return [name, sizeOf(shape)];
    }),
  );
  const { length } = layoutOf(graph);
  return (inputs, weights) => {
    for (const name of Object.keys(inputs)) {
      if (!wanted.has(name)) throw new ComputeError('BAD_INPUT', `the graph has no input ${name}`);
    }
    for (const [name, size] of wanted) {
      const got = inputs[name]?.length;
      if (got !== size) {
        const found = got === undefined ? 'nothing' : `${got} values`;
        throw new ComputeError('BAD_INPUT', `input ${name} wants ${size} values, got ${found}`);
      }
    }
    if (weights.length !== length) {
      throw new ComputeError('BAD_INPUT', `wanted ${length} weights, got ${weights.length}`);
    }
  };
}

/** Wraps a runtime's `execute` into a {@link Program}: one run at a time, checked, closable. */
export function createProgram(
  graph: Graph,
  execute: (
    inputs: Readonly<Record<string, Float32Array>>,
    weights: Float32Array,
  ) => Promise<RunResult>,
  release: () => Promise<void>,
): Program {
  const check = createFeedCheck(graph);
  const turns = createTurns();
  let closing: Promise<void> | undefined;
  return {
    async run(inputs, weights, options = {}) {
      if (closing !== undefined) throw new ComputeError('CLOSED', 'the program is closed');
      check(inputs, weights);
      return turns.take(async () => {
        options.signal?.throwIfAborted();
        return execute(inputs, weights);
      });
    },
    close() {
      closing ??= turns.idle().then(release);
      return closing;
    },
  };
}
