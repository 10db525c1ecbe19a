import { differentiate, type Engine, type Graph, gradientLayoutOf } from '@consilium/compute';
import type { Layout } from '@consilium/weights';
import { addScaled, given } from './batch-gradient.ts';
import { type Batch, emptyBatch } from './draw-batch.ts';
import {
  createMicrobatch,
  cut,
  type MicrobatchReduced,
  type Part,
  type ProgramsBySize,
  partsOf,
} from './microbatch.ts';
import { patientLossGraph } from './network.ts';
import type { LesionTask } from './task.ts';

/** The gradients of single patients, by some of the weights. Costs what lies between the loss and the first trained layer. */
export interface PatientLearner {
  /** The trained tensors in the network's order: the form of every gradient. */
  readonly layout: Layout;
  /** Patients that go through the network in one run. */
  readonly together: number;
  /**
   * For each of `batches`, the slices of one patient, in turn: the gradient of the mean of the slices' losses at `weights`, the whole vector. They may
   * hold values that are not finite, and no loss comes with them: what a single patient is like is for nobody to see.
   *
   * A gradient's bits depend on that patient and the weights alone: not on who else is there, nor on the place in a run. So one patient more or less moves
   * a sum of clipped gradients by that patient's own, and by nothing else. It was seen so on the CPU and on a WebGPU device
   * that is software, and rests on kernels that compute each sample by itself; no GPU was seen. The run in which memory turns out to be short is another one (`onReduced`).
   *
   * @throws {ModelError} `LAYOUT_MISMATCH`.
   */
  gradients(
    batches: Iterable<Batch>,
    weights: Float32Array,
    signal?: AbortSignal,
  ): AsyncIterable<Float32Array>;
  close(): Promise<void>;
}

/**
 * Pixels that one run takes at most, unless a single patient has more. On a CPU a run costs little beside its work, and small arrays stay in its caches:
 * together, 16 patients of one 32² slice take 0.7 of the time that they take one by one, of one 64² slice as long, of four 128² slices a fifth longer
 * (`npm run bench:per-example`). A device of its own wants large runs.
 */
const pixelsAtOnce = { cpu: 64 ** 2, device: 1024 ** 2 };
const mostTogether = 16;

export function createPatientLearner(
  engine: Engine,
  task: LesionTask,
  slices: number,
  trained: readonly string[],
  onReduced: (reduced: MicrobatchReduced) => void,
): PatientLearner {
  const layout = gradientLayoutOf(gradientGraph(task, slices, trained, 1));
  const together = patientsAtOnce(engine, task, slices);
  const samples = together * slices;
  const microbatch = createMicrobatch(
    engine,
    {
      patients: (size) => gradientGraph(task, size, trained, size / slices),
      slices: (size) => gradientGraph(task, size, trained, 1),
    },
    samples,
    (size) => onReduced({ work: 'learning', samples: size, of: samples }),
  );
  const nobody = emptyBatch(task.network, slices);

  async function* gradients(
    batches: Iterable<Batch>,
    weights: Float32Array,
    signal?: AbortSignal,
  ): AsyncGenerator<Float32Array> {
    for (const group of groupsOf(batches, together)) {
      const filled = [...group, ...Array.from({ length: together - group.length }, () => nobody)];
      const joined = joinBatches(filled);
      const rows = await microbatch.run((parts, programs) =>
        gradientsByPart({ joined, weights, slices, together, layout }, parts, programs, signal),
      );
      yield* rows.slice(0, group.length);
    }
  }
  return { layout, together, gradients, close: () => microbatch.close() };
}

/** A power of two, so that halves of a run are whole patients down to one. */
function patientsAtOnce(engine: Engine, { network }: LesionTask, slices: number): number {
  const limit = engine.isDevice === true ? pixelsAtOnce.device : pixelsAtOnce.cpu;
  const fit = limit / (slices * network.cropSize ** 2);
  return 2 ** Math.floor(Math.log2(Math.min(Math.max(fit, 1), mostTogether)));
}

/** By example where a run holds several patients: the loss is a sum of theirs then, so that none is divided by their number. */
function gradientGraph(
  task: LesionTask,
  samples: number,
  trained: readonly string[],
  patients: number,
): Graph {
  const graph = patientLossGraph(task, samples, patients);
  if (patients === 1) return differentiate(graph, 'loss', { trained });
  return differentiate(graph, 'loss', { trained, perExample: { examples: patients } });
}

interface Group {
  readonly joined: Batch;
  readonly weights: Float32Array;
  /** Of one patient. */
  readonly slices: number;
  readonly together: number;
  readonly layout: Layout;
}

async function gradientsByPart(
  { joined, weights, slices, together, layout }: Group,
  parts: readonly Part[],
  programs: ProgramsBySize,
  signal?: AbortSignal,
): Promise<Float32Array[]> {
  const size = parts[0]?.samples ?? 0;
  const options = signal && { signal };
  const total = together * slices;
  const gradientsAt = async (part: Part): Promise<Float32Array> => {
    const kind = part.samples > slices ? 'patients' : 'slices';
    const program = await programs(kind, part.samples);
    const { gradient } = await program.run(cut({ ...joined }, part, total), weights, options);
    return given(gradient, 'gradient');
  };
  const rows: Float32Array[] = [];
  if (size >= slices) {
    for (const part of parts) {
      const joint = await gradientsAt(part);
      for (let from = 0; from < joint.length; from += layout.length) {
        rows.push(joint.subarray(from, from + layout.length));
      }
    }
    return rows;
  }
  for (let patient = 0; patient < together; patient++) {
    const mean = new Float32Array(layout.length);
    for (const { from, samples } of partsOf(slices, size)) {
      const gradient = await gradientsAt({ from: patient * slices + from, samples });
      // The loss is a mean over slices: that of a part counts as many times as the part has slices.
      addScaled(mean, gradient, samples / slices);
    }
    rows.push(mean);
  }
  return rows;
}

function* groupsOf<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let group: T[] = [];
  for (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

function joinBatches(batches: readonly Batch[]): Batch {
  const [first] = batches;
  if (first !== undefined && batches.length === 1) return first;
  const join = (name: keyof Batch): Float32Array => {
    const each = first?.[name].length ?? 0;
    const joined = new Float32Array(each * batches.length);
    for (const [i, batch] of batches.entries()) joined.set(batch[name], i * each);
    return joined;
  };
  return {
    image: join('image'),
    lungTruth: join('lungTruth'),
    lesionTruth: join('lesionTruth'),
    lungWeight: join('lungWeight'),
    lesionWeight: join('lesionWeight'),
    outside: join('outside'),
  };
}
