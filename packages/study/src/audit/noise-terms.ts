import type { TensorSlot } from '@consilium/weights';
import type { Founding } from '../manifest.ts';

/**
 * What a manifest implies for every update of a private study whose training is plain SGD at a constant rate: over the trained tensors an update is
 * −η Σ_t (clipped gradients of step t + noise of step t) ÷ (q · declared patients), each step's noise being independent in every coordinate.
 */
export interface NoiseTerms {
  /** η. */
  readonly learningRate: number;
  /** q. */
  readonly sampleRate: number;
  /** C. */
  readonly clipNorm: number;
  /** σC: the standard deviation of the noise on a step's sum of gradients. */
  readonly sumStdDev: number;
  /** The tensors that are trained, in the layout's order. */
  readonly trained: readonly TensorSlot[];
  /** Values of these. */
  readonly coordinates: number;
}

/** The terms of a study, or the reason why updates do not tell how much noise is in them. */
export function noiseTermsOf({ manifest, layout }: Founding): NoiseTerms | string {
  const { privacy, task } = manifest;
  if (privacy.profile === 'off') {
    return 'the study’s privacy profile is off: it promises no noise';
  }
  const learningRate = constantRate(task['training']);
  if (learningRate === null) {
    return 'the study’s training is not plain SGD at a constant rate: an update is then no sum of its noise';
  }
  const names = new Set(privacy.trainable);
  const trained = layout.tensors.filter(({ name }) => names.has(name));
  return {
    learningRate,
    sampleRate: privacy.sampleRate,
    clipNorm: privacy.clipNorm,
    sumStdDev: privacy.noiseMultiplier * privacy.clipNorm,
    trained,
    coordinates: trained.reduce((sum, { length }) => sum + length, 0),
  };
}

/** The standard deviation of the noise in each coordinate of an update of so many steps. */
export function updateStdDev(terms: NoiseTerms, steps: number, declaredPatients: number): number {
  const { learningRate, sampleRate, sumStdDev } = terms;
  return (learningRate * Math.sqrt(steps) * sumStdDev) / (sampleRate * declaredPatients);
}

/** The rate of a task's training when it is plain SGD without momentum whose rate never changes; null otherwise. A task is opaque to a study, so it may be anything. */
function constantRate(training: unknown): number | null {
  if (typeof training !== 'object' || training === null) return null;
  const read = (key: string): unknown =>
    Object.hasOwn(training, key) ? Reflect.get(training, key) : undefined;
  const rate = read('learningRate');
  const isPlain =
    read('optimizer') === 'sgd' &&
    read('momentum') === 0 &&
    read('warmupSteps') === 0 &&
    read('finalRate') === 1;
  return isPlain && typeof rate === 'number' && rate > 0 && rate < Infinity ? rate : null;
}
