import { ComputeError } from './error.ts';

/**
 * What an optimizer remembers between steps: plain data, one entry per weight in canonical order.
 * `second` is empty for SGD. Saved by {@link encodeOptimizerState}.
 */
export interface OptimizerState {
  readonly rule: 'adam' | 'sgd';
  /** Steps taken so far. */
  steps: number;
  /** Adam: running mean of the gradient. SGD: the momentum. */
  readonly first: Float32Array;
  /** Adam: running mean of the squared gradient. */
  readonly second: Float32Array;
}

/** What a rule does, as data: for engines that compute it beside the gradient. */
export type OptimizerRule =
  | {
      readonly name: 'adam';
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly weightDecay: number;
    }
  | { readonly name: 'sgd'; readonly momentum: number };

/** A rule that moves weights against their gradient. It keeps nothing itself: all memory is in the state handed in. */
export interface Optimizer {
  readonly rule: OptimizerRule;
  /** The rate of a step that is given none. */
  readonly learningRate: number;
  /** The state before the first step, for `length` weights. */
  start(length: number): OptimizerState;
  /**
   * One step. Changes `weights` and `state` in place, and nothing else; the same arguments give the same bits.
   * `learningRate` overrides the rule's own for this step (for warm-up and decay).
   *
   * @throws {ComputeError} `BAD_STATE` when the lengths differ or the state is another rule's.
   */
  step(
    weights: Float32Array,
    gradient: Float32Array,
    state: OptimizerState,
    options?: { learningRate?: number },
  ): void;
}

export interface AdamInit {
  /** @default 1e-3 */
  readonly learningRate?: number;
  /** Decay of the gradient's running mean. @default 0.9 */
  readonly beta1?: number;
  /** Decay of the squared gradient's running mean. @default 0.999 */
  readonly beta2?: number;
  /** Added to the root of the second moment. @default 1e-8 */
  readonly epsilon?: number;
  /** Decoupled: weights shrink by `learningRate · weightDecay` each step. @default 0 */
  readonly weightDecay?: number;
}

/**
 * Adam with bias correction; with `weightDecay`, AdamW.
 * @throws {RangeError} for a rate that is not positive, or decays outside [0, 1).
 * @see Kingma and Ba 2015; Loshchilov and Hutter 2019
 */
export function adam(init: AdamInit = {}): Optimizer {
  const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 } = init;
  checkPositive('learningRate', learningRate);
  checkPositive('epsilon', epsilon);
  checkDecay('beta1', beta1);
  checkDecay('beta2', beta2);
  if (!(weightDecay >= 0 && weightDecay < Infinity)) {
    throw new RangeError(`weightDecay must not be negative, got ${weightDecay}`);
  }
  return {
    rule: { name: 'adam', beta1, beta2, epsilon, weightDecay },
    learningRate,
    start: (length) => ({
      rule: 'adam',
      steps: 0,
      first: new Float32Array(length),
      second: new Float32Array(length),
    }),
    step(weights, gradient, state, options = {}) {
      checkState('adam', weights, gradient, state);
      const { first, second } = state;
      const rate = options.learningRate ?? learningRate;
      state.steps += 1;
      const meanCorrection = 1 / (1 - beta1 ** state.steps);
      const squareCorrection = 1 / (1 - beta2 ** state.steps);
      const keep = 1 - rate * weightDecay;
      for (let i = 0; i < weights.length; i++) {
        const g = gradient[i] ?? 0;
        const m = beta1 * (first[i] ?? 0) + (1 - beta1) * g;
        const v = beta2 * (second[i] ?? 0) + (1 - beta2) * g * g;
        first[i] = m;
        second[i] = v;
        const move = (m * meanCorrection) / (Math.sqrt(v * squareCorrection) + epsilon);
        weights[i] = (weights[i] ?? 0) * keep - rate * move;
      }
    },
  };
}

export interface SgdInit {
  /** @default 1e-2 */
  readonly learningRate?: number;
  /** How much of the last step's direction stays, in [0, 1). @default 0 */
  readonly momentum?: number;
}

/**
 * Stochastic gradient descent: v ← momentum · v + gradient, weights ← weights − learningRate · v.
 * @throws {RangeError} for a rate that is not positive, or a momentum outside [0, 1).
 */
export function sgd(init: SgdInit = {}): Optimizer {
  const { learningRate = 1e-2, momentum = 0 } = init;
  checkPositive('learningRate', learningRate);
  checkDecay('momentum', momentum);
  return {
    rule: { name: 'sgd', momentum },
    learningRate,
    start: (length) => ({
      rule: 'sgd',
      steps: 0,
      first: new Float32Array(length),
      second: new Float32Array(),
    }),
    step(weights, gradient, state, options = {}) {
      checkState('sgd', weights, gradient, state);
      const { first } = state;
      const rate = options.learningRate ?? learningRate;
      state.steps += 1;
      for (let i = 0; i < weights.length; i++) {
        const v = momentum * (first[i] ?? 0) + (gradient[i] ?? 0);
        first[i] = v;
        weights[i] = (weights[i] ?? 0) - rate * v;
      }
    },
  };
}

function checkPositive(name: string, value: number): void {
  if (!(value > 0 && value < Infinity)) {
    throw new RangeError(`${name} must be positive and finite, got ${value}`);
  }
}

function checkDecay(name: string, value: number): void {
  if (!(value >= 0 && value < 1)) throw new RangeError(`${name} must be in [0, 1), got ${value}`);
}

function checkState(
  rule: OptimizerState['rule'],
  weights: Float32Array,
  gradient: Float32Array,
  state: OptimizerState,
): void {
  if (state.rule !== rule) {
    throw new ComputeError('BAD_STATE', `a state of ${state.rule} was given to ${rule}`);
  }
  const { length } = weights;
  const second = rule === 'adam' ? length : 0;
  if (
    gradient.length !== length ||
    state.first.length !== length ||
    state.second.length !== second
  ) {
    throw new ComputeError(
      'BAD_STATE',
      `${length} weights, ${gradient.length} gradients, ${state.first.length} and ${state.second.length} moments`,
    );
  }
}
