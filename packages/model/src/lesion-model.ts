import { differentiate, type Engine, type Program } from '@consilium/compute';
import type { Layout } from '@consilium/weights';
import type { Batch } from './draw-batch.ts';
import { ModelError } from './error.ts';
import { forwardGraph, lossGraph, networkLayout } from './network.ts';
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
  close(): Promise<void>;
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
    close: async () => {
      for (const program of [reader, learner]) {
        await (await program)?.close();
      }
    },
  };
}

function output(outputs: Record<string, Float32Array>, name: string): Float32Array {
  const values = outputs[name];
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
