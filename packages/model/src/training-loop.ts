import {
  ComputeError,
  type OptimizerState,
  scaleToNorm,
  type TrainingState,
} from '@consilium/compute';
import { isLocal, type Layout } from '@consilium/weights';
import type { Batch } from './draw-batch.ts';
import { ModelError } from './error.ts';
import type { LesionModel } from './lesion-model.ts';
import { createStepper, learningRateAt, optimizerOf } from './training-step.ts';

/** Weights on their way, wherever they lie. */
export interface TrainingLoop {
  /**
   * One step with one batch: loss and gradient, clipping, optimizer.
   * @throws {ModelError} `NON_FINITE`.
   */
  step(batch: Batch, signal?: AbortSignal): Promise<{ loss: number; lesionDice: number }>;
  /** What has been reached; nobody else's from then on. */
  read(): Promise<TrainingState>;
  close(): Promise<void>;
}

/**
 * A loop from `weights` and `state`, which are copied: with weights that stay on the engine's device where it has one, and there until its
 * memory is short.
 */
export async function openTraining(
  model: LesionModel,
  weights: Float32Array,
  state: OptimizerState | null,
): Promise<TrainingLoop> {
  const stepper = createStepper(model.task.training, model.layout);
  const start = { weights: weights.slice(), state: stepper.resume(state) };
  return (await onDevice(model, start)) ?? here(model, start);
}

function here(model: LesionModel, { weights, state }: TrainingState): TrainingLoop {
  const { training } = model.task;
  const stepper = createStepper(training, model.layout);
  return {
    async step(batch, signal) {
      const { loss, lesionDice, gradient } = await model.learn(batch, weights, signal);
      scaleToNorm(gradient, training.clipNorm);
      stepper.step(weights, gradient, state);
      return { loss, lesionDice };
    },
    read: async () => ({ weights, state }),
    close: async () => undefined,
  };
}

async function onDevice(model: LesionModel, start: TrainingState): Promise<TrainingLoop | null> {
  const { training } = model.task;
  const optimizer = optimizerOf(training);
  const shares = sharesOf(model.layout, training.siteRate);
  const init = { optimizer, clipNorm: training.clipNorm, shares };
  const opened = await unlessOutOfMemory(() => model.residentTraining(init, start));
  if (opened === null) return null;
  const program = opened;
  let { steps } = start.state;
  let fallen: TrainingLoop | null = null;
  return {
    async step(batch, signal) {
      const learningRate = learningRateAt(training, steps);
      const options = { learningRate, ...(signal && { signal }) };
      const outputs =
        fallen === null ? await unlessOutOfMemory(() => program.step({ ...batch }, options)) : null;
      if (outputs === null) {
        fallen ??= here(model, await program.read());
        return fallen.step(batch, signal);
      }
      steps += 1;
      const [loss = Number.NaN] = outputs['loss'] ?? [];
      if (!Number.isFinite(loss)) throw new ModelError('NON_FINITE', `the loss is ${loss}`);
      return { loss, lesionDice: 1 - (outputs['lesionDiceLoss']?.[0] ?? Number.NaN) };
    },
    read: () => (fallen ?? program).read(),
    close: () => program.close(),
  };
}

/** The site's own corrections move `siteRate` times as far as the rule says, everything else all the way. */
function sharesOf(layout: Layout, siteRate: number): Float32Array {
  const shares = new Float32Array(layout.length).fill(1);
  for (const { name, offset, length } of layout.tensors) {
    if (isLocal(name)) shares.fill(siteRate, offset, offset + length);
  }
  return shares;
}

async function unlessOutOfMemory<T>(work: () => Promise<T | null>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ComputeError && error.code === 'OUT_OF_MEMORY') return null;
    throw error;
  }
}
