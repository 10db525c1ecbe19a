import type { Graph } from '@consilium/compute';

/**
 * What one run of a case does with its graph.
 *
 * - `train`: forward, backward and Adam on the graph's batch; the output `loss` is what is trained.
 * - `private`: the same batch as one patient's slices, for each of `patients`: gradient, clipped, summed; then noise and Adam.
 * - `read`: one batch of a scan of `slices`, forward alone, into an array of the whole scan. The next run takes the next batch.
 * - `product`: the graph is one matrix product, for the speed that the machine can reach at all.
 */
export type Work =
  | { readonly kind: 'train' | 'product' }
  | { readonly kind: 'private'; readonly patients: number }
  | { readonly kind: 'read'; readonly slices: number };

/** All that a contestant is told: the first line that its process reads, as JSON. */
export interface Assignment {
  /** Forward only. Its parameters and inputs are filled from {@link spread} with the seed. */
  readonly graph: Graph;
  readonly work: Work;
  readonly threads: number;
  readonly seed: number;
}

/** What a contestant answers first, once it is ready and has run the graph once on the weights that it starts from. */
export interface Greeting {
  /** Who computes, for people: the engine's name, or the library's and its version. */
  readonly name: string;
  /** Values in all parameters. */
  readonly parameters: number;
  /** The loss, or the mean of the first batch's reading: every contestant must get the same. Null for a mere product. */
  readonly value: number | null;
  /** L2 norm of the whole gradient; null where nothing is trained. */
  readonly gradientNorm: number | null;
}

/** One run's milliseconds: by the clock, and of processor time, which a busy machine does not stretch as much. */
export interface RunTime {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** The answer to `{"runs": n}`. */
export interface Turn {
  readonly times: readonly RunTime[];
  /** The largest resident memory of the process so far; null where the system does not tell. */
  readonly peakBytes: number | null;
}

const golden = 0.6180339887498949;
const seedStep = 0.41421356237309515;

/**
 * Value `index` of a sequence that covers [0, 1) evenly: the fraction of (index + 1) · golden + seed · seedStep. It is the same float64 in
 * JavaScript and in Python, so that every contestant fills its tensors with the same values and none is sent.
 */
export function spread(index: number, seed: number): number {
  const value = (index + 1) * golden + seed * seedStep;
  return value - Math.floor(value);
}
