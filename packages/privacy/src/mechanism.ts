import type { RandomBytes } from '@consilium/weights';
import { createDiscreteGaussian } from './discrete-gaussian.ts';
import type { PrivacyEvent } from './event.ts';
import { type ClipGrid, clipToGrid, createClipGrid } from './grid-clip.ts';
import { createUniform, type UniformSource } from './uniform.ts';

/** What the releases of one study are made with; public, and the same for every step. */
export interface MechanismSpec {
  /** Probability with which each patient is drawn into a step, in [2^-53, 1]. */
  readonly sampleRate: number;
  /** Standard deviation of the noise divided by `clipNorm`; their product is 2^8…2^40 grid steps. */
  readonly noiseMultiplier: number;
  /** Largest L2 norm that one patient's gradient keeps; positive. */
  readonly clipNorm: number;
  /** Gradients are integers times 2^gridExponent, −126…0; `clipNorm` is 2^10…2^26 of these steps. */
  readonly gridExponent: number;
  /** The public divisor: sampleRate times the *declared* number of patients, which is at least one. Never the realised batch. */
  readonly expectedBatch: number;
}

/** One step over a cohort. */
export interface MechanismStep {
  /** Patients that the site really has, 1…2^24. It stays here: nothing that is returned tells it. */
  readonly patients: number;
  /** Length of every gradient. */
  readonly dimension: number;
  /**
   * The gradients of the `drawn` patients, each 0…patients − 1 and named once: one for each, in any order, each the mean over that patient's drawn
   * slices. An array is read before the next is asked for, and not kept.
   */
  gradientsOf(drawn: readonly number[]): AsyncIterable<Float32Array>;
}

/**
 * The Poisson-subsampled discrete Gaussian mechanism on sums of clipped per-patient gradients.
 *
 * Sampling, clipping, noise and the accounting event are one object, so that they cannot disagree.
 */
export interface PrivateMechanism {
  readonly spec: MechanismSpec;
  /**
   * Draws each patient with probability q, clips each gradient over its whole length to C, truncates it to the grid, sums integers, adds
   * discrete Gaussian noise of deviation σC and divides by the public expected batch. An empty draw releases noise.
   *
   * A gradient with NaN or an infinity contributes zero, as if the patient had not been drawn.
   *
   * @throws {RangeError} for a cohort without patients, a dimension that is no positive whole number, a gradient of another length, more or fewer
   * gradients than patients were drawn. Only the last two count as a step: the others are seen before anybody is drawn.
   * @throws whatever `gradientsOf` throws, and the signal's reason between two patients. The step is accounted for all the same.
   */
  step(step: MechanismStep, options?: { signal?: AbortSignal }): Promise<Float32Array>;
  /** What was begun so far: empty, or one event that counts every step. */
  readonly history: readonly PrivacyEvent[];
  /** Gradients that contributed nothing, being zero on the grid or not finite. For the site's own eyes: it depends on single patients. */
  readonly withoutContribution: number;
}

/** Of grid steps²; the variance that makes the release a rounded continuous Gaussian, see `createMechanism`. */
const roundingVariance = 4;
/** Sums then stay below 2^50 and noise below 2^52: whole numbers that float64 holds exactly. */
const mostPatients = 2 ** 24;
const leastNoiseSteps = 2 ** 8;
const mostNoiseSteps = 2 ** 40;

/**
 * The mechanism that `spec` describes. `random` is the operating system's generator wherever a release leaves the site.
 *
 * Each step may be accounted for as the Poisson-subsampled *continuous* Gaussian mechanism with q and σ, by any accountant and in both
 * directions of adjacency. In grid steps, with R = clipNorm / 2^gridExponent and r² = 4, for a sum S of clipped gradients:
 *
 * 1. One patient moves S by an integer vector of L2 norm at most R, exactly (`clipToGrid`). A patient is drawn with probability
 *    ⌊2^53 q⌋ / 2^53 ≤ q; by joint convexity of the divergences a lower rate leaks less.
 * 2. What is released is S + N_Z(0, (σR)² + r²) in each coordinate. Take instead X = S + N(0, (σR)²) and round it at random: y with
 *    probability exp(−(y − X)² / 2r²) / Σ_n exp(−(n − X)² / 2r²). By Poisson summation that denominator is r√2π (1 + e) with
 *    |e| ≤ 2.1 exp(−2π²r²) < 2^-112 for every X, so that y has the probability which N_Z(0, (σR)² + r²) gives to y − S, up to a factor
 *    within 1 ± 2^-111. Rounding is post-processing.
 * 3. Over all coordinates of all steps, fewer than 2^53, the factors stay within exp(±κ), κ = 2^-58: where the continuous mechanism is
 *    (ε, δ)-private, this one is (ε + 2κ, exp(κ) δ)-private. That is less than float64 can tell.
 *
 * The price is r²: the deviation is above σR by less than 2 / (σR)² of itself, so by 2^-15 at most.
 *
 * @throws {RangeError} for a number outside of its range in `MechanismSpec`.
 * @see Abadi et al. 2016, Deep Learning with Differential Privacy, Algorithm 1; Mironov, Talwar, Zhang 2019, Rényi Differential Privacy of the
 * Sampled Gaussian Mechanism; Canonne, Kamath, Steinke 2020, The Discrete Gaussian for Differential Privacy; Peikert 2010, An Efficient and
 * Parallel Gaussian Sampler for Lattices, for a continuous Gaussian rounded to a discrete one
 */
export function createMechanism(
  components: { random: RandomBytes },
  spec: MechanismSpec,
): PrivateMechanism {
  checkSpec(spec);
  const { sampleRate, noiseMultiplier, clipNorm, gridExponent, expectedBatch } = spec;
  const grid = createClipGrid(clipNorm, gridExponent);
  const uniform = createUniform(components.random);
  const noise = createDiscreteGaussian(components.random, noiseSigma(spec));
  let steps = 0;
  let withoutContribution = 0;

  return {
    // A copy: what the caller does to its own afterwards changes neither the noise nor the event.
    spec: Object.freeze({ sampleRate, noiseMultiplier, clipNorm, gridExponent, expectedBatch }),
    async step(step, options) {
      checkStep(step);
      steps += 1;
      const drawn = drawPatients(uniform, step.patients, sampleRate);
      const { sum, zeros } = await sumClipped(step, drawn, grid, options?.signal);
      withoutContribution += zeros;
      noise.addTo(sum);
      return Float32Array.from(sum, (value) => (value * 2 ** gridExponent) / expectedBatch);
    },
    get history() {
      return steps === 0 ? [] : [{ sampleRate, noiseMultiplier, steps }];
    },
    get withoutContribution() {
      return withoutContribution;
    },
  };
}

/**
 * The patients of one step: each by itself with probability ⌊2^53 · sampleRate⌋ / 2^53, which is never above `sampleRate`, and is
 * `sampleRate` itself from 1/2 on. 53 random bits are compared with a whole number; nothing is rounded.
 */
export function drawPatients(
  uniform: UniformSource,
  patients: number,
  sampleRate: number,
): number[] {
  const threshold = Math.floor(sampleRate * 2 ** 53);
  const drawn: number[] = [];
  for (let patient = 0; patient < patients; patient++) {
    if (uniform.word53() < threshold) drawn.push(patient);
  }
  return drawn;
}

/**
 * The sum of the clipped gradients in grid steps, and how many of them were zero. *Not private*: no noise yet.
 *
 * Exact for up to 2^24 patients, and so the same for any order of them.
 */
export async function sumClipped(
  step: MechanismStep,
  drawn: readonly number[],
  grid: ClipGrid,
  signal?: AbortSignal,
): Promise<{ sum: Float64Array; zeros: number }> {
  const sum = new Float64Array(step.dimension);
  const clipped = new Int32Array(step.dimension);
  let zeros = 0;
  let left = drawn.length;
  signal?.throwIfAborted();
  for await (const gradient of step.gradientsOf(drawn)) {
    signal?.throwIfAborted();
    left -= 1;
    if (left < 0) break;
    if (!clipToGrid(gradient, grid, clipped)) {
      zeros += 1;
      continue;
    }
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (clipped[i] as number);
  }
  if (left !== 0) {
    throw new RangeError(
      `wanted a gradient for each patient drawn, got ${left < 0 ? 'more' : 'fewer'}`,
    );
  }
  // Once more, so that whether an abort is heeded does not depend on who was drawn.
  signal?.throwIfAborted();
  return { sum, zeros };
}

/** Gradients that are computed one patient after the other. */
export function oneByOne(
  gradientOf: (patient: number) => Promise<Float32Array>,
): MechanismStep['gradientsOf'] {
  return async function* (drawn) {
    for (const patient of drawn) yield await gradientOf(patient);
  };
}

/** √((σR)² + r²) in grid steps, never rounded below it: four roundings take at most 2^-51 of it away. */
export function noiseSigma({ noiseMultiplier, clipNorm, gridExponent }: MechanismSpec): number {
  const noiseSteps = (noiseMultiplier * clipNorm) / 2 ** gridExponent;
  return Math.sqrt(noiseSteps * noiseSteps + roundingVariance) * (1 + 2 ** -50);
}

function checkSpec(spec: MechanismSpec): void {
  const { sampleRate, noiseMultiplier, clipNorm, gridExponent, expectedBatch } = spec;
  if (!(sampleRate >= 2 ** -53 && sampleRate <= 1)) {
    throw new RangeError(`sampleRate must be in [2^-53, 1], got ${sampleRate}`);
  }
  if (!(expectedBatch >= sampleRate && expectedBatch < Infinity)) {
    throw new RangeError(
      `expectedBatch must be finite and at least sampleRate, got ${expectedBatch}`,
    );
  }
  const noiseSteps = (noiseMultiplier * clipNorm) / 2 ** gridExponent;
  if (!(noiseSteps >= leastNoiseSteps && noiseSteps <= mostNoiseSteps)) {
    throw new RangeError(`the noise must be 2^8…2^40 grid steps, got ${noiseSteps}`);
  }
}

function checkStep({ patients, dimension }: MechanismStep): void {
  if (!(Number.isInteger(patients) && patients >= 1 && patients <= mostPatients)) {
    throw new RangeError(`patients must be a whole number in 1…2^24, got ${patients}`);
  }
  if (!(Number.isSafeInteger(dimension) && dimension >= 1)) {
    throw new RangeError(`dimension must be a positive whole number, got ${dimension}`);
  }
}
