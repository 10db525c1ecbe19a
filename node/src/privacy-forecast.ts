import { epsilon } from '@consilium/privacy';
import type { PrivatePolicy } from '@consilium/records';

/** What a policy will have cost a patient after some rounds, by both accountants. */
export interface SpentAfter {
  readonly round: number;
  readonly rdp: number;
  readonly pld: number;
}

/** What a study's founder should know before it starts. */
export interface PrivacyForecast {
  readonly policy: PrivatePolicy;
  /** Private steps of the whole study, spare rounds not counted. */
  readonly steps: number;
  /** Values that are trained. */
  readonly dimension: number;
  /**
   * L2 norm of the noise of one step at the smallest site ÷ the largest that a step's mean gradient can be: σ √d ÷ (expected batch). Above 1 a single step is
   * mostly noise.
   */
  readonly noiseToSignalStep: number;
  /**
   * The same for the sum over all steps of all sites: signal adds up, noise only by its root. What a study can learn at all depends on this.
   * An upper bound of the signal: real gradients are below the clip norm and do not all agree.
   */
  readonly noiseToSignalStudy: number;
  /** Rising; the first after one round, the last after all. */
  readonly curve: readonly SpentAfter[];
}

export interface ForecastInit {
  readonly rounds: number;
  readonly stepsPerRound: number;
  readonly sites: number;
  /** Declared patients of the smallest cohort. */
  readonly patients: number;
  readonly dimension: number;
}

/** Pure, and slow: every point of the curve is composed by both accountants. */
export function forecast(policy: PrivatePolicy, init: ForecastInit): PrivacyForecast {
  const { rounds, stepsPerRound, sites, patients, dimension } = init;
  const { sampleRate, noiseMultiplier, delta } = policy;
  const steps = rounds * stepsPerRound;
  const step = (noiseMultiplier * Math.sqrt(dimension)) / (sampleRate * patients);
  const curve = pointsOf(rounds).map((round): SpentAfter => {
    const history = [{ sampleRate, noiseMultiplier, steps: round * stepsPerRound }];
    return {
      round,
      rdp: epsilon(history, delta, 'rdp'),
      pld: epsilon(history, delta, 'pld'),
    };
  });
  return {
    policy,
    steps,
    dimension,
    noiseToSignalStep: step,
    noiseToSignalStudy: step / Math.sqrt(steps * sites),
    curve,
  };
}

/** At most nine rounds to look at: the first, the last, and some between. */
function pointsOf(rounds: number): number[] {
  const points = Array.from({ length: 9 }, (_, i) => Math.round(1 + (i * (rounds - 1)) / 8));
  return [...new Set(points)];
}
