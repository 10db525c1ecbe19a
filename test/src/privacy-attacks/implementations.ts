import { createMechanism, type MechanismSpec, oneByOne } from '@consilium/privacy';
import type { RandomBytes } from '@consilium/weights';
import type { Canary, Implementation, Release } from './canary-audit.ts';
import { seededBytes } from './seeded-bytes.ts';

/** The mechanism as it is meant to be used. */
export const correct: Implementation = (claimed, key) => releasesOf(claimed, seededBytes(key));

/**
 * Mistakes that are easily made, planted around the real mechanism: it is told other parameters than are claimed, fed something
 * else than a patient's gradient, given bytes that come again, or left out.
 */
export const plantedBugs: Readonly<Record<string, Implementation>> = {
  'noise / 10': (claimed, key) => releasesOf(lessNoise(claimed, 10), seededBytes(key)),

  'no noise': (claimed) => async (cohort, dimension) => {
    const sum = new Float32Array(dimension);
    for (const { coordinate, slices } of cohort) {
      sum[coordinate] = clip(meanOf(slices), claimed.clipNorm) / claimed.expectedBatch;
    }
    return sum;
  },

  'no clipping': (claimed, key) => {
    const unclipped = scaledClipNorm(claimed, 1000);
    // A thousand times the clip norm must still fit the grid.
    return releasesOf({ ...unclipped, gridExponent: claimed.gridExponent + 10 }, seededBytes(key));
  },

  'clipping slices, not patients': (claimed, key) => {
    const clipSlice = (slice: number): number => clip(slice, claimed.clipNorm);
    const sumOfClipped = (slices: readonly number[]): number =>
      slices.reduce((sum, slice) => sum + clipSlice(slice), 0);
    return releasesOf(scaledClipNorm(claimed, 20), seededBytes(key), sumOfClipped);
  },

  'the same noise in every step': (claimed, key) => (cohort, dimension) =>
    releasesOf(claimed, seededBytes(key))(cohort, dimension),

  'noise divided by the batch twice': (claimed, key) =>
    releasesOf(lessNoise(claimed, claimed.expectedBatch), seededBytes(key)),
};

/** A mistake that is harder to see: a bound that knows of (ε, δ) alone finds it only just. */
export const aThirdOfTheNoise: Implementation = (claimed, key) =>
  releasesOf(lessNoise(claimed, 3), seededBytes(key));

/** Leaves the sampling out, whose gain is claimed all the same. */
export const everybodyInEveryStep: Implementation = (claimed, key) =>
  releasesOf({ ...claimed, sampleRate: 1 }, seededBytes(key));

function releasesOf(
  spec: MechanismSpec,
  random: RandomBytes,
  gradientOf: (slices: readonly number[]) => number = meanOf,
): Release {
  const mechanism = createMechanism({ random }, spec);
  return (cohort, dimension) =>
    mechanism.step({
      patients: cohort.length,
      dimension,
      gradientsOf: oneByOne(async (patient) => gradientAt(cohort[patient], dimension, gradientOf)),
    });
}

function gradientAt(
  canary: Canary | undefined,
  dimension: number,
  gradientOf: (slices: readonly number[]) => number,
): Float32Array {
  if (canary === undefined) throw new RangeError('no such patient');
  const gradient = new Float32Array(dimension);
  gradient[canary.coordinate] = gradientOf(canary.slices);
  return gradient;
}

function lessNoise(claimed: MechanismSpec, divisor: number): MechanismSpec {
  return { ...claimed, noiseMultiplier: claimed.noiseMultiplier / divisor };
}

/** The same noise, while one patient may add `factor` times as much. */
function scaledClipNorm(claimed: MechanismSpec, factor: number): MechanismSpec {
  return { ...lessNoise(claimed, factor), clipNorm: claimed.clipNorm * factor };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function clip(value: number, clipNorm: number): number {
  return Math.sign(value) * Math.min(Math.abs(value), clipNorm);
}
