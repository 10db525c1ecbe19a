import { adam, type Optimizer, type OptimizerState, sgd } from '@consilium/compute';
import { isLocal, type Layout } from '@consilium/weights';
import { drawBatch } from './draw-batch.ts';
import { ModelError } from './error.ts';
import type { LesionModel } from './lesion-model.ts';
import type { PreparedPatient } from './prepare.ts';
import type { TrainingSpec } from './task.ts';

export interface TrainStepsInit {
  readonly model: LesionModel;
  readonly cohort: readonly PreparedPatient[];
  /** The whole vector, site-local tensors included; it is not changed. */
  readonly weights: Float32Array;
  /** What the last call returned, or null to start afresh; it is not changed. */
  readonly optimizerState: OptimizerState | null;
  readonly steps: number;
  /** Batches depend on it and on the steps that the optimizer state counts: going on draws new ones. */
  readonly seed: number;
}

/** What a step was like. For the site's own eyes: losses of single steps say something about single patients. */
export interface TrainProgress {
  /** Of this call, from 1. */
  readonly step: number;
  readonly loss: number;
  /** Soft Dice of the lesion in this batch, in [0, 1]. */
  readonly lesionDice: number;
  readonly learningRate: number;
}

export interface TrainStepsResult {
  readonly weights: Float32Array;
  readonly optimizerState: OptimizerState;
  readonly steps: number;
  readonly meanLoss: number;
}

/**
 * Trains for `steps` steps without privacy noise (profile `off`): draw a batch, gradient, clip its norm, step.
 *
 * All or nothing: it returns after the last step or throws, and leaves its arguments as they were.
 * The same arguments on the same engine and machine give the same result.
 *
 * @throws {ModelError} `EMPTY_COHORT` without a patient, or without a single slice of lesion; `LAYOUT_MISMATCH`;
 * `NON_FINITE` when a loss, a gradient or a new weight is NaN or infinite.
 * @throws the signal's reason, between two steps.
 */
export async function trainSteps(
  { model, cohort, weights, optimizerState, steps, seed }: TrainStepsInit,
  options: { signal?: AbortSignal; onProgress?: (progress: TrainProgress) => void } = {},
): Promise<TrainStepsResult> {
  checkCohort(cohort);
  const { task, layout } = model;
  const optimizer = optimizerOf(task.training);
  const current = weights.slice();
  const state = optimizerState === null ? optimizer.start(current.length) : copyOf(optimizerState);
  let sum = 0;
  for (let step = 1; step <= steps; step++) {
    options.signal?.throwIfAborted();
    const learningRate = learningRateAt(task.training, state.steps);
    const batch = drawBatch(cohort, task, seed, state.steps);
    const { loss, lesionDice, gradient } = await model.learn(batch, current, options.signal);
    clip(gradient, task.training.clipNorm);
    const before = localOf(layout, current);
    optimizer.step(current, gradient, state, { learningRate });
    slowDown(before, current, task.training.siteRate);
    sum += loss;
    options.onProgress?.({ step, loss, lesionDice, learningRate });
  }
  if (!current.every(Number.isFinite)) {
    throw new ModelError('NON_FINITE', 'a weight is no longer finite after training');
  }
  return { weights: current, optimizerState: state, steps, meanLoss: sum / steps };
}

function optimizerOf({ optimizer, weightDecay }: TrainingSpec): Optimizer {
  return optimizer === 'adam' ? adam({ beta2: 0.99, weightDecay }) : sgd({ momentum: 0.9 });
}

function copyOf(state: OptimizerState): OptimizerState {
  return { ...state, first: state.first.slice(), second: state.second.slice() };
}

interface LocalTensor {
  readonly offset: number;
  readonly values: Float32Array;
}

function localOf(layout: Layout, weights: Float32Array): LocalTensor[] {
  return layout.tensors
    .filter(({ name }) => isLocal(name))
    .map(({ offset, length }) => ({ offset, values: weights.slice(offset, offset + length) }));
}

/**
 * Lets the site's own corrections move `rate` times as far as the step moved them. A correction and the shared value that it is added to have the same
 * gradient: at full rate half of what all sites learn alike would end up in corrections, and be lost to everybody else.
 */
function slowDown(before: readonly LocalTensor[], weights: Float32Array, rate: number): void {
  for (const { offset, values } of before) {
    for (const [i, value] of values.entries()) {
      const moved = (weights[offset + i] as number) - value;
      weights[offset + i] = value + rate * moved;
    }
  }
}

function checkCohort(cohort: readonly PreparedPatient[]): void {
  if (cohort.length === 0) {
    throw new ModelError('EMPTY_COHORT', 'there is no patient to train on');
  }
  if (cohort.every(({ lesionSlices }) => lesionSlices.length === 0)) {
    throw new ModelError('EMPTY_COHORT', 'no patient has a lesion: there is nothing to learn');
  }
}

/** The rate for the step after `done` steps: a linear warm-up, then half a cosine down to `finalRate` at `decaySteps`, then constant. */
export function learningRateAt(training: TrainingSpec, done: number): number {
  const { learningRate, warmupSteps, decaySteps, finalRate } = training;
  if (done < warmupSteps) {
    return (learningRate * (done + 1)) / warmupSteps;
  }
  const through =
    decaySteps <= warmupSteps ? 0 : Math.min(1, (done - warmupSteps) / (decaySteps - warmupSteps));
  return learningRate * (finalRate + (1 - finalRate) * 0.5 * (1 + Math.cos(Math.PI * through)));
}

/** Scales the gradient in place so that its L2 norm is at most `clipNorm`. */
function clip(gradient: Float32Array, clipNorm: number): void {
  let squares = 0;
  for (const value of gradient) {
    squares += value * value;
  }
  const norm = Math.sqrt(squares);
  if (norm > clipNorm) {
    const factor = clipNorm / norm;
    for (let i = 0; i < gradient.length; i++) {
      gradient[i] = (gradient[i] as number) * factor;
    }
  }
}
