import { PrivacyError } from './error.ts';
import { type ProfileName, profiles } from './profiles.ts';

/** What a study promises each patient of each trainer, in numbers; see the page on privacy for each one's meaning. */
export interface PolicyTerms {
  readonly profile: Exclude<ProfileName, 'off'>;
  /** Cap on one site's spending over the whole study. */
  readonly epsilon: number;
  readonly delta: number;
  /** Probability with which each patient is drawn into a step. */
  readonly sampleRate: number;
  /** Standard deviation of the noise ÷ clip norm. */
  readonly noiseMultiplier: number;
  readonly clipNorm: number;
  /** Gradients are integers times 2^gradientExponent. */
  readonly gradientExponent: number;
}

/** Bounds of a policy's numbers. */
export const policyLimits: {
  /** Less noise than this is none to speak of, and no accountant is held to anything there. */
  readonly leastNoiseMultiplier: number;
  readonly mostNoiseMultiplier: number;
  /** Steps of the gradient's grid in the clip norm: fewer would round signal away, more would not sum exactly. */
  readonly leastGridSteps: number;
  readonly mostGridSteps: number;
  /** Deviation of the noise in steps of the grid: from here on the discrete Gaussian is accounted as the continuous one. */
  readonly leastGridDeviation: number;
} = {
  leastNoiseMultiplier: 0.1,
  mostNoiseMultiplier: 10_000,
  leastGridSteps: 2 ** 10,
  mostGridSteps: 2 ** 26,
  leastGridDeviation: 2 ** 8,
};

/**
 * Refuses terms that break a promise or make none.
 *
 * δ is at most 1 ÷ (10 × patients) of every trainer: a larger one would allow to publish a patient outright now and then.
 *
 * @param cohorts declared patients of every trainer
 * @throws {PrivacyError} `BAD_POLICY`, naming the term, what it is and what it may be.
 */
export function checkPolicy(terms: PolicyTerms, cohorts: readonly number[]): void {
  const { profile, epsilon, delta, sampleRate, noiseMultiplier, clipNorm } = terms;
  const range = profiles[profile].epsilon;
  if (range !== null && !(epsilon > range.above && epsilon <= range.most)) {
    throw bad(`profile ${profile} means ε in (${range.above}, ${range.most}]`, epsilon);
  }
  const mostDelta = 1 / (10 * Math.max(...cohorts));
  if (!(delta > 0 && delta <= mostDelta)) {
    throw bad(`δ must be in (0, ${mostDelta.toPrecision(3)}], 1 ÷ (10 × patients)`, delta);
  }
  if (!(sampleRate > 0 && sampleRate <= 1)) {
    throw bad('the sample rate must be in (0, 1]: no batch is above its cohort', sampleRate);
  }
  const { leastNoiseMultiplier: least, mostNoiseMultiplier: most } = policyLimits;
  if (!(noiseMultiplier >= least && noiseMultiplier <= most)) {
    throw bad(`the noise multiplier must be in [${least}, ${most}]`, noiseMultiplier);
  }
  const steps = clipNorm / 2 ** terms.gradientExponent;
  const { leastGridSteps, mostGridSteps, leastGridDeviation } = policyLimits;
  if (!(steps >= leastGridSteps && steps <= mostGridSteps)) {
    throw bad(`the clip norm must be ${leastGridSteps}…${mostGridSteps} steps of the grid`, steps);
  }
  if (!(steps * noiseMultiplier >= leastGridDeviation)) {
    const deviation = steps * noiseMultiplier;
    throw bad(`the noise must deviate by at least ${leastGridDeviation} grid steps`, deviation);
  }
}

function bad(rule: string, got: number): PrivacyError {
  return new PrivacyError('BAD_POLICY', `${rule}, got ${got}`);
}
