import {
  compileReader,
  type Engine,
  type Graph,
  type Program,
  type RunResult,
} from '@consilium/compute';
import { given } from './batch-gradient.ts';
import { createMicrobatch, cut, type Microbatch } from './microbatch.ts';
import { forwardGraph } from './network.ts';
import type { NetworkSpec } from './task.ts';

/** Logits of some slices, [slices][size][size]; the lesion's hold within the lung only. */
export interface SliceLogits {
  readonly lung: Float32Array;
  readonly lesion: Float32Array;
}

/** The network with one vector of weights, ready to read. */
export interface SliceReader {
  /** Logits for inputs [batch][slices][size][size], which must stay unchanged until then. Calls must not overlap. */
  read(image: Float32Array, signal?: AbortSignal): Promise<SliceLogits>;
}

/** The networks that read: as many as the ensemble read with last. */
export interface SliceReaders {
  /**
   * One reader for each vector of weights. One that is open for the same values is given out again; those for other weights are
   * closed, so that what is held never outgrows one ensemble.
   */
  open(members: readonly Float32Array[]): Promise<readonly SliceReader[]>;
  close(): Promise<void>;
}

interface OpenReader {
  readonly weights: Float32Array;
  readonly microbatch: Microbatch;
}

export interface SliceReadersInit {
  /** Slices that one call takes. */
  readonly batch: number;
  /** See {@link createMicrobatch}. */
  readonly onReduced: (samples: number) => void;
  /** Inputs [slices][size][size] for ranges, or undefined for float32; see `ReaderInit` of @consilium/compute. */
  readonly int8: readonly Float32Array[] | undefined;
}

export function createSliceReaders(
  engine: Engine,
  network: NetworkSpec,
  { batch, onReduced, int8 }: SliceReadersInit,
): SliceReaders {
  let opened: readonly OpenReader[] = [];
  const openOne = (weights: Float32Array): OpenReader => {
    const own = weights.slice();
    const graphs = { forward: (samples: number) => forwardGraph(network, samples) };
    const microbatch = createMicrobatch(withWeights(engine, own, int8), graphs, batch, onReduced);
    return { weights: own, microbatch };
  };
  const replace = async (wanted: readonly OpenReader[]): Promise<void> => {
    const left = opened.filter((each) => !wanted.includes(each));
    opened = wanted;
    for (const { microbatch } of left) {
      await microbatch.close();
    }
  };
  return {
    open: async (members) => {
      const wanted = members.map(
        (weights) => opened.find((each) => sameBits(each.weights, weights)) ?? openOne(weights),
      );
      await replace(wanted);
      return wanted.map((each) => ({
        read: (image, signal) => read(each, network, batch, image, signal),
      }));
    },
    close: () => replace([]),
  };
}

async function read(
  { weights, microbatch }: OpenReader,
  network: NetworkSpec,
  batch: number,
  image: Float32Array,
  signal: AbortSignal | undefined,
): Promise<SliceLogits> {
  const plane = network.size ** 2;
  return microbatch.run(async (parts, programs) => {
    const [whole] = parts;
    if (whole?.samples === batch) {
      const program = await programs('forward', batch);
      return logitsOf(await program.run({ image }, weights, signal && { signal }));
    }
    const logits = {
      lung: new Float32Array(batch * plane),
      lesion: new Float32Array(batch * plane),
    };
    for (const part of parts) {
      const program = await programs('forward', part.samples);
      const inputs = cut({ image }, part, batch);
      const seen = logitsOf(await program.run(inputs, weights, signal && { signal }));
      logits.lung.set(seen.lung, part.from * plane);
      logits.lesion.set(seen.lesion, part.from * plane);
    }
    return logits;
  });
}

function logitsOf({ outputs }: RunResult): SliceLogits {
  return { lung: given(outputs['lung'], 'lung'), lesion: given(outputs['lesion'], 'lesion') };
}

/** An engine that compiles for one vector of weights; its programs pass over those that a run is given. */
function withWeights(
  engine: Engine,
  weights: Float32Array,
  int8: readonly Float32Array[] | undefined,
): Engine {
  return {
    name: engine.name,
    compile: async (graph: Graph): Promise<Program> => {
      const init = int8 && { int8: inBatches(int8, graph) };
      const reader = await compileReader(engine, graph, weights, init);
      return {
        run: async (inputs, _, options) => ({ outputs: await reader.run(inputs, options) }),
        close: () => reader.close(),
      };
    },
    close: () => engine.close(),
  };
}

/** The inputs joined to the batches that the graph takes; the last one is filled up with the first input. */
function inBatches(inputs: readonly Float32Array[], graph: Graph): { image: Float32Array }[] {
  const image = graph.inputs
    .map((index) => graph.nodes[index])
    .find((node) => node?.name === 'image');
  const samples = image?.shape[0] ?? 1;
  return Array.from({ length: Math.ceil(inputs.length / samples) }, (_, batch) => {
    const joined = Array.from(
      { length: samples },
      (_, i) => inputs[batch * samples + i] ?? (inputs[0] as Float32Array),
    );
    const each = joined[0]?.length ?? 0;
    const values = new Float32Array(samples * each);
    for (const [i, input] of joined.entries()) {
      values.set(input, i * each);
    }
    return { image: values };
  });
}

function sameBits(a: Float32Array, b: Float32Array): boolean {
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(
    Buffer.from(b.buffer, b.byteOffset, b.byteLength),
  );
}
