import { adam, type Optimizer, type OptimizerState, sgd } from '@consilium/compute';
import { isLocal, type Layout } from '@consilium/weights';
import type { TrainingSpec } from './task.ts';

/** Moves weights as a task says: its optimizer, its learning rate, its rate for the site's own corrections. */
export interface Stepper {
  /** A state to go on from: a copy of `state`, or one before the first step. */
  resume(state: OptimizerState | null): OptimizerState;
  /**
   * One step against `gradient`, with the learning rate that belongs to the steps taken so far. Changes `weights` and `state` in place.
   * @throws {ComputeError} `BAD_STATE` for a state of another rule or length.
   */
  step(weights: Float32Array, gradient: Float32Array, state: OptimizerState): void;
}

/** A stepper for vectors of `layout`, which may be a part of the network's. */
export function createStepper(training: TrainingSpec, layout: Layout): Stepper {
  const optimizer = optimizerOf(training);
  return {
    resume: (state) =>
      state === null
        ? optimizer.start(layout.length)
        : { ...state, first: state.first.slice(), second: state.second.slice() },
    step: (weights, gradient, state) => {
      const learningRate = learningRateAt(training, state.steps);
      const before = localOf(layout, weights);
      optimizer.step(weights, gradient, state, { learningRate });
      slowDown(before, weights, training.siteRate);
    },
  };
}

/** The rule that a task names. */
export function optimizerOf({ optimizer, momentum, weightDecay }: TrainingSpec): Optimizer {
  return optimizer === 'adam' ? adam({ beta2: 0.99, weightDecay }) : sgd({ momentum });
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
