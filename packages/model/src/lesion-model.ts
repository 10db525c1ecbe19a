import {
  compileTraining,
  differentiate,
  type Engine,
  type Program,
  type TrainingInit,
  type TrainingProgram,
  type TrainingState,
} from '@consilium/compute';
import type { Layout } from '@consilium/weights';
import { batchGradient, batchGradientGraphs } from './batch-gradient.ts';
import type { Batch } from './draw-batch.ts';
import { ModelError } from './error.ts';
import { createMicrobatch, type MicrobatchReduced } from './microbatch.ts';
import { lossGraph, networkLayout, watchedGraph } from './network.ts';
import { createPatientLearner, type PatientLearner } from './patient-learner.ts';
import { seeded } from './seeded.ts';
import { createSliceReaders, type SliceLogits, type SliceReader } from './slice-readers.ts';
import type { LesionTask } from './task.ts';

/**
 * A task's network on an engine. Its programs are compiled when first needed and kept until `close`.
 *
 * Where memory does not hold a whole batch, the same is computed in parts (see `onReduced`); calls of one method must not overlap.
 */
export interface LesionModel {
  readonly task: LesionTask;
  readonly layout: Layout;
  /** Slices that one call of `read` takes. */
  readonly readBatch: number;
  /**
   * Logits [readBatch][size][size] for inputs [readBatch][slices][size][size]; the lesion's hold within the lung only.
   * @throws {ModelError} `LAYOUT_MISMATCH`.
   */
  read(image: Float32Array, weights: Float32Array, signal?: AbortSignal): Promise<SliceLogits>;
  /**
   * One reader for each vector of weights, which it holds: what `read` does, for who reads many times with the same. They are good until `readers` or
   * `read` is called with other weights.
   * @throws {ModelError} `LAYOUT_MISMATCH`.
   */
  readers(members: readonly Float32Array[]): Promise<readonly SliceReader[]>;
  /**
   * Sends one fixed, made-up image through the network: whether engine and weights are sound, without a look at any patient.
   * @throws {ModelError} `LAYOUT_MISMATCH`; `NON_FINITE` when a value on the way is NaN or infinite, or so large that its square is.
   */
  check(weights: Float32Array, signal?: AbortSignal): Promise<void>;
  /**
   * Loss and gradient of one batch at `weights`.
   * @throws {ModelError} `LAYOUT_MISMATCH`; `NON_FINITE` when the loss or any part of the gradient is.
   */
  learn(
    batch: Batch,
    weights: Float32Array,
    signal?: AbortSignal,
  ): Promise<{ loss: number; lesionDice: number; gradient: Float32Array }>;
  /**
   * Training whose weights stay on the engine's device, batch after batch; null where the engine has no device. Good until it is closed.
   * @throws {ComputeError} as `compileTraining`, `OUT_OF_MEMORY` among them.
   */
  residentTraining(init: TrainingInit, start: TrainingState): Promise<TrainingProgram | null>;
  /**
   * What gives single patients' gradients by the tensors named in `trained`, the site's own included where they are named. Good until the model is closed.
   *
   * @throws {ComputeError} `NOT_DIFFERENTIABLE` when a name is not the network's, or there is none.
   */
  patientLearner(slices: number, trained: readonly string[]): PatientLearner;
  close(): Promise<void>;
}

export interface LesionModelInit {
  /** Slices that go through the network at once when reading. @default 1, whose images stay in a core's cache; 8 on a device */
  readBatch?: number;
  /**
   * Reads with convolutions on 8-bit numbers, where the engine has them: a whole prediction takes some four fifths of the time on a CPU, and is not the same (`npm run bench:int8`). The ranges
   * are taken from these inputs [slices][size][size], for which there are `calibrationInputs`; never from a site's patients. @default float32
   */
  int8?: readonly Float32Array[];
  /** Is told when memory holds fewer samples at once than a batch has. Results stay the same but for float32 rounding. */
  onReduced?: (reduced: MicrobatchReduced) => void;
}

export function createLesionModel(
  engine: Engine,
  task: LesionTask,
  { readBatch = engine.isDevice ? 8 : 1, onReduced, int8 }: LesionModelInit = {},
): LesionModel {
  const { network, training } = task;
  const layout = networkLayout(network);
  const check = (weights: Float32Array): void => {
    if (weights.length !== layout.length) {
      throw new ModelError(
        'LAYOUT_MISMATCH',
        `${weights.length} weights for a network of ${layout.length}`,
      );
    }
  };
  const told = (work: MicrobatchReduced['work'], of: number) => (samples: number) =>
    onReduced?.({ work, samples, of });
  const reading = createSliceReaders(engine, network, {
    batch: readBatch,
    onReduced: told('reading', readBatch),
    int8,
  });
  const learning = createMicrobatch(
    engine,
    batchGradientGraphs(task),
    training.batch,
    told('learning', training.batch),
  );
  const patients = new Map<string, PatientLearner>();
  let watcher: Promise<Program> | null = null;
  return {
    task,
    layout,
    readBatch,
    read: async (image, weights, signal) => {
      check(weights);
      const [reader] = await reading.open([weights]);
      return (reader as SliceReader).read(image, signal);
    },
    readers: async (members) => {
      members.forEach(check);
      return reading.open(members);
    },
    check: async (weights, signal) => {
      check(weights);
      watcher ??= engine.compile(watchedGraph(network));
      const image = madeUpImage(network.slices * network.cropSize ** 2);
      const { outputs } = await (await watcher).run({ image }, weights, signal && { signal });
      if (!Object.values(outputs).every(allFinite)) {
        throw new ModelError(
          'NON_FINITE',
          'on a made-up image the network’s values are not finite, or too large for a group norm: the weights or the engine are broken',
        );
      }
    },
    learn: async (batch, weights, signal) => {
      check(weights);
      const { loss, lesionDiceLoss, gradient } = await learning.run((parts, programs) =>
        batchGradient(batch, weights, parts, programs, signal),
      );
      if (!Number.isFinite(loss) || !allFinite(gradient)) {
        throw new ModelError('NON_FINITE', 'the loss of a batch, or its gradient, is not finite');
      }
      return { loss, lesionDice: 1 - lesionDiceLoss, gradient };
    },
    residentTraining: async (init, start) => {
      check(start.weights);
      if (engine.isDevice !== true) return null;
      return compileTraining(engine, differentiate(lossGraph(task), 'loss'), init, start);
    },
    patientLearner: (slices, trained) => {
      const key = `${slices} ${trained.join(' ')}`;
      const learner =
        patients.get(key) ??
        createPatientLearner(engine, task, slices, trained, (each) => onReduced?.(each));
      patients.set(key, learner);
      return learner;
    },
    close: async () => {
      for (const each of [reading, learning, ...patients.values()]) {
        await each.close();
      }
      await (await watcher)?.close();
    },
  };
}

/** Values of mean 0 and variance 1, the same on every machine. */
function madeUpImage(pixels: number): Float32Array {
  const random = seeded('made-up image');
  return Float32Array.from({ length: pixels }, () => random.normal());
}

/** One pass of sums would overflow to infinity for large but finite values: look at each. */
function allFinite(values: Float32Array): boolean {
  for (const value of values) {
    if (!Number.isFinite(value)) {
      return false;
    }
  }
  return true;
}
