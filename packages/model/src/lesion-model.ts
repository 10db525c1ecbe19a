import { differentiate, type Engine, gradientLayoutOf, type Program } from '@consilium/compute';
import type { Layout } from '@consilium/weights';
import type { Batch } from './draw-batch.ts';
import { ModelError } from './error.ts';
import { forwardGraph, lossGraph, networkLayout, patientLossGraph } from './network.ts';
import type { LesionTask } from './task.ts';

/** A task's network on an engine. Its programs are compiled when first needed and kept until `close`. */
export interface LesionModel {
  readonly task: LesionTask;
  readonly layout: Layout;
  /** Slices that one call of `read` takes. */
  readonly readBatch: number;
  /**
   * Logits [readBatch][size][size] for inputs [readBatch][slices][size][size]; the lesion's hold within the lung only.
   * @throws {ModelError} `LAYOUT_MISMATCH`.
   */
  read(
    image: Float32Array,
    weights: Float32Array,
    signal?: AbortSignal,
  ): Promise<{ lung: Float32Array; lesion: Float32Array }>;
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
   * What gives single patients' gradients by the tensors named in `trained`, the site's own included where they are named.
   *
   * @throws {ComputeError} `NOT_DIFFERENTIABLE` when a name is not the network's, or there is none.
   */
  patientLearner(slices: number, trained: readonly string[]): Promise<PatientLearner>;
  close(): Promise<void>;
}

/** The gradient of one patient at a time, by some of the weights. Costs what lies between the loss and the first trained layer. */
export interface PatientLearner {
  /** The trained tensors in the network's order: the form of every gradient. */
  readonly layout: Layout;
  /**
   * The gradient of the mean of the slices' losses at `weights`, the whole vector. It may hold values that are not finite, and no loss
   * comes with it: what a single patient is like is for nobody to see.
   *
   * @throws {ModelError} `LAYOUT_MISMATCH`.
   */
  gradient(batch: Batch, weights: Float32Array, signal?: AbortSignal): Promise<Float32Array>;
}

export interface LesionModelInit {
  /** @default 8 */
  readBatch?: number;
}

export function createLesionModel(
  engine: Engine,
  task: LesionTask,
  { readBatch = 8 }: LesionModelInit = {},
): LesionModel {
  const layout = networkLayout(task.network);
  let reader: Promise<Program> | null = null;
  let learner: Promise<Program> | null = null;
  const patientPrograms = new Map<string, Promise<Program>>();
  const check = (weights: Float32Array): void => {
    if (weights.length !== layout.length) {
      throw new ModelError(
        'LAYOUT_MISMATCH',
        `${weights.length} weights for a network of ${layout.length}`,
      );
    }
  };
  return {
    task,
    layout,
    readBatch,
    read: async (image, weights, signal) => {
      check(weights);
      reader ??= engine.compile(forwardGraph(task.network, readBatch));
      const { outputs } = await (await reader).run({ image }, weights, signal && { signal });
      return { lung: output(outputs, 'lung'), lesion: output(outputs, 'lesion') };
    },
    learn: async (batch, weights, signal) => {
      check(weights);
      learner ??= engine.compile(differentiate(lossGraph(task), 'loss'));
      const program = await learner;
      const { outputs, gradient } = await program.run({ ...batch }, weights, signal && { signal });
      const loss = output(outputs, 'loss')[0] as number;
      if (gradient === undefined || !Number.isFinite(loss) || !allFinite(gradient)) {
        throw new ModelError('NON_FINITE', `the loss is ${loss}, or its gradient is not finite`);
      }
      return { loss, lesionDice: 1 - (output(outputs, 'lesionDiceLoss')[0] as number), gradient };
    },
    patientLearner: async (slices, trained) => {
      const graph = differentiate(patientLossGraph(task, slices), 'loss', { trained });
      const gradientLayout = gradientLayoutOf(graph);
      const key = `${slices} ${gradientLayout.digest}`;
      const compiled = patientPrograms.get(key) ?? engine.compile(graph);
      patientPrograms.set(key, compiled);
      const program = await compiled;
      return {
        layout: gradientLayout,
        gradient: async (batch, weights, signal) => {
          check(weights);
          const { gradient } = await program.run({ ...batch }, weights, signal && { signal });
          return given(gradient, 'gradient');
        },
      };
    },
    close: async () => {
      for (const program of [reader, learner, ...patientPrograms.values()]) {
        await (await program)?.close();
      }
    },
  };
}

function output(outputs: Record<string, Float32Array>, name: string): Float32Array {
  return given(outputs[name], name);
}

function given(values: Float32Array | undefined, name: string): Float32Array {
  if (values === undefined) {
    throw new RangeError(`the engine returned no output ${name}`);
  }
  return values;
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
