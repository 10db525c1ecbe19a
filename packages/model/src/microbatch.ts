import { ComputeError, type Engine, type Graph, type Program } from '@consilium/compute';

/** Memory did not hold a whole batch: from now on so many samples go through the network at once. Tells nothing of a patient. */
export interface MicrobatchReduced {
  readonly work: 'learning' | 'reading';
  readonly samples: number;
  /** Samples of a whole batch. */
  readonly of: number;
}

/** One run of a part of a batch: its first sample, and how many it has. */
export interface Part {
  readonly from: number;
  readonly samples: number;
}

export interface Microbatch {
  /**
   * What `work` gives for a whole batch in these parts. Where it fails with `OUT_OF_MEMORY`, everything that it had compiled is closed, which gives the memory
   * back, and it is done again from the start in parts of half as many samples, down to one. What fitted is kept for later calls.
   *
   * Calls must not overlap.
   *
   * @throws {ComputeError} `OUT_OF_MEMORY` when one sample is too many, and whatever else `work` throws.
   */
  run<T>(work: (parts: readonly Part[], programs: ProgramsBySize) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The graphs that one piece of work needs, by a name, each for any number of samples. */
export type SizedGraphs = Readonly<Record<string, (samples: number) => Graph>>;

/** Compiled graphs: each once, when it is first asked for. */
export type ProgramsBySize = (name: string, samples: number) => Promise<Program>;

/** @param onReduced is told once for each size that turned out to fit after a larger one had not */
export function createMicrobatch(
  engine: Engine,
  graphs: SizedGraphs,
  batch: number,
  onReduced: (samples: number) => void,
): Microbatch {
  const compiled = new Map<string, Promise<Program>>();
  let size = batch;
  let fitted = batch;
  const programs: ProgramsBySize = (name, samples) => {
    const key = `${name} ${samples}`;
    const program = compiled.get(key) ?? compileNamed(engine, graphs, name, samples);
    compiled.set(key, program);
    return program;
  };
  const close = async (): Promise<void> => {
    const all = await Promise.allSettled(compiled.values());
    compiled.clear();
    for (const each of all) {
      if (each.status === 'fulfilled') {
        await each.value.close();
      }
    }
  };
  return {
    run: async (work) => {
      for (;;) {
        try {
          const result = await work(partsOf(batch, size), programs);
          if (size < fitted) {
            fitted = size;
            onReduced(size);
          }
          return result;
        } catch (error) {
          if (size === 1 || !isOutOfMemory(error)) {
            throw error;
          }
          await close();
          size = Math.ceil(size / 2);
        }
      }
    },
    close,
  };
}

/** `batch` samples in parts of `size`; the last one has what is left. */
export function partsOf(batch: number, size: number): Part[] {
  return Array.from({ length: Math.ceil(batch / size) }, (_, i) => ({
    from: i * size,
    samples: Math.min(size, batch - i * size),
  }));
}

/** A part of each of a batch's arrays, in place: all of them have the same number of samples one after the other. */
export function cut<T extends Readonly<Record<string, Float32Array>>>(
  arrays: T,
  { from, samples }: Part,
  batch: number,
): T {
  const entries = Object.entries(arrays).map(([name, values]) => {
    const each = values.length / batch;
    return [name, values.subarray(from * each, (from + samples) * each)];
  });
  return Object.fromEntries(entries) as T;
}

function compileNamed(
  engine: Engine,
  graphs: SizedGraphs,
  name: string,
  samples: number,
): Promise<Program> {
  const graphOf = graphs[name];
  if (graphOf === undefined) {
    throw new RangeError(`there is no graph ${name}`);
  }
  return engine.compile(graphOf(samples));
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof ComputeError && error.code === 'OUT_OF_MEMORY';
}
