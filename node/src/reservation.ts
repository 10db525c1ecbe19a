import { type Budget, PrivacyError } from '@consilium/privacy';
import type { PrivatePolicy, ReserveBody, SiteId } from '@consilium/records';
import type { StudyState } from '@consilium/study';
import type { PrivateTraining } from './training-messages.ts';

/**
 * What a site sets aside before it trains a round. To be signed and synced before any patient is read; from then on it is spent.
 *
 * @param steps private steps of the round, a positive whole number
 * @throws {PrivacyError} `BUDGET_EXHAUSTED` when they would lead past the cap. There is no way around it.
 */
export function reservationFor(
  state: Pick<StudyState, 'members'>,
  policy: PrivatePolicy,
  budget: Budget,
  site: SiteId,
  round: number,
  steps: number,
): ReserveBody {
  const spent = state.members.find((member) => member.site === site)?.spending?.steps ?? 0;
  const epsilon = budget.epsilonAfter(spent + steps);
  if (epsilon > budget.cap) {
    throw new PrivacyError(
      'BUDGET_EXHAUSTED',
      `round ${round} would bring this site to ε ${epsilon.toFixed(3)}, the cap is ${budget.cap}: no patient is read any more`,
    );
  }
  const { sampleRate, noiseMultiplier } = policy;
  return { round, sampleRate, noiseMultiplier, steps, epsilon };
}

/** What the training process needs of a policy, for a site that declared so many patients. */
export function privateTraining(policy: PrivatePolicy, declaredPatients: number): PrivateTraining {
  return {
    mechanism: {
      sampleRate: policy.sampleRate,
      noiseMultiplier: policy.noiseMultiplier,
      clipNorm: policy.clipNorm,
      gridExponent: policy.gradientExponent,
      expectedBatch: policy.sampleRate * declaredPatients,
    },
    slicesPerPatient: policy.slicesPerPatient,
    trainable: policy.trainable,
    declaredPatients,
  };
}
