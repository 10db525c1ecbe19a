import {
  checkPolicy,
  noiseMultiplierFor,
  PrivacyError,
  type ProfileName,
  profiles,
} from '@consilium/privacy';
import type { PrivatePolicy } from '@consilium/records';
import { z } from 'zod';

/** What a founder decides about privacy; everything else follows. */
export const privacyPlan = z.strictObject({
  profile: z.enum(['strict', 'balanced', 'reconstruction-guard', 'off']),
  /** Cap for each site over the whole study. Default: the most that the profile means, 3 or 8. */
  epsilon: z.number().positive().optional(),
  /** Default: 1 ÷ (10 × the largest cohort), or 1e-5 if that is less. */
  delta: z.number().positive().optional(),
  /** Patients of the smallest cohort that a step draws on average. */
  expectedBatch: z.number().positive().default(16),
  /** Far below the norm of a usual gradient (0.5 and more), so that every patient pulls about alike. */
  clipNorm: z.number().positive().default(0.1),
  slicesPerPatient: z.int().min(1).max(64).default(4),
  /** Trainings that may fail, at each site, before its privacy is spent early. Default: a tenth of the rounds. */
  spareRounds: z.int().min(0).optional(),
});
export type PrivacyPlan = z.infer<typeof privacyPlan>;

/** What the noise has to last for. */
export interface PrivacyDemand {
  /** Declared patients of every trainer. */
  readonly cohorts: readonly number[];
  readonly rounds: number;
  readonly stepsPerRound: number;
  /** Exact names of the shared tensors that are trained. */
  readonly trainable: readonly string[];
}

/**
 * The policy that keeps a plan's promise for as long as the study needs: the smallest noise, rounded up to a thousandth, with which the rounds and the
 * spare ones stay within ε by the pessimistic accountant.
 *
 * @throws {PrivacyError} `BAD_POLICY`, `NO_NOISE_MULTIPLIER`.
 */
export function policyFor(plan: PrivacyPlan, demand: PrivacyDemand): PrivatePolicy | null {
  const { profile, expectedBatch, clipNorm, slicesPerPatient } = plan;
  if (profile === 'off') return null;
  const { cohorts, rounds, stepsPerRound, trainable } = demand;
  const smallest = Math.min(...cohorts);
  if (expectedBatch > smallest) {
    throw new PrivacyError(
      'BAD_POLICY',
      `an expected batch of ${expectedBatch} patients is above the smallest cohort, ${smallest}`,
    );
  }
  const epsilon = plan.epsilon ?? defaultEpsilon(profile);
  const delta = plan.delta ?? Math.min(1e-5, 1 / (10 * Math.max(...cohorts)));
  const sampleRate = expectedBatch / smallest;
  const steps = (rounds + (plan.spareRounds ?? Math.ceil(rounds / 10))) * stepsPerRound;
  const exact = noiseMultiplierFor(epsilon, delta, sampleRate, steps, 'rdp');
  const policy: PrivatePolicy = {
    profile,
    epsilon,
    delta,
    sampleRate,
    noiseMultiplier: Math.ceil(exact * 1000) / 1000,
    clipNorm,
    gradientExponent: Math.floor(Math.log2(clipNorm)) - 20,
    slicesPerPatient,
    trainable,
  };
  checkPolicy(policy, cohorts);
  return policy;
}

function defaultEpsilon(profile: Exclude<ProfileName, 'off'>): number {
  return profile === 'reconstruction-guard' ? 20 : (profiles[profile].epsilon?.most ?? 0);
}
