import type { Engine, Program } from './engine.ts';
import type { Graph } from './graph.ts';

/**
 * A network with its weights inside, made to be run many times: whoever reads scans changes weights rarely, and an engine that knows them
 * beforehand computes faster. Runs take turns, as those of a {@link Program}.
 */
export interface Reader {
  /**
   * @param inputs every input of the graph by name, row-major; they must stay unchanged until the promise settles.
   * @returns every output by name; the arrays are the caller's.
   * @throws {ComputeError} `BAD_INPUT`, `ENGINE_FAILED`, `OUT_OF_MEMORY`, `CLOSED`; the signal's reason when aborted before it started.
   */
  run(
    inputs: Readonly<Record<string, Float32Array>>,
    options?: { signal?: AbortSignal },
  ): Promise<Record<string, Float32Array>>;
  /** Frees what the reader holds, once a run that is under way has ended. May be called again. */
  close(): Promise<void>;
}

export interface ReaderInit {
  /**
   * Inputs of a few runs, generated ones and no patient's, of which an engine may take the ranges of what goes through the network, and then convolve with
   * whole numbers of 8 bits where that is faster. Results then differ in the third digit. An engine that has no such way computes in float32.
   * @default float32
   */
  readonly int8?: readonly Readonly<Record<string, Float32Array>>[];
}

/**
 * Makes a graph ready to be run with these weights and no others: by the engine's own `compileReader` where it has one.
 *
 * `weights` are copied: what the caller does to them afterwards has no effect.
 *
 * @param weights all parameters in canonical order (`layoutOf(graph)`).
 * @throws {ComputeError} `BAD_INPUT` when the weights are not of the layout's length; whatever `engine.compile` throws.
 */
export async function compileReader(
  engine: Engine,
  graph: Graph,
  weights: Float32Array,
  init: ReaderInit = {},
): Promise<Reader> {
  const own = weights.slice();
  const reader = await engine.compileReader?.(graph, own, init);
  return reader ?? readerOf(await engine.compile(graph), own);
}

/** A program as a reader: every run is given the same weights. */
export function readerOf(program: Program, weights: Float32Array): Reader {
  return {
    run: async (inputs, options) => (await program.run(inputs, weights, options)).outputs,
    close: () => program.close(),
  };
}
