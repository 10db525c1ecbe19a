import { epsilon, type MechanismSpec } from '@consilium/privacy';
import {
  type GuessCount,
  gaussianEpsilon,
  guessMembers,
  oneRunEpsilon,
  oneRunMu,
} from '@consilium/privacy/audit';
import { seededBytes } from './seeded-bytes.ts';

/** A patient made up for an audit: each slice's gradient is zero but for `coordinate`, which no other canary has. */
export interface Canary {
  readonly coordinate: number;
  /** Of each slice, the gradient's value there. */
  readonly slices: readonly number[];
}

/** One step's release over the canaries that are in the cohort: the mechanism's, or of what somebody wrote in its place. */
export type Release = (cohort: readonly Canary[], dimension: number) => Promise<Float32Array>;

/** Starts what is audited, with the parameters that are claimed of it. `key` names the run's random bytes. */
export type Implementation = (claimed: MechanismSpec, key: string) => Release;

/** A run that is audited, and how. */
export interface AuditedRun {
  readonly spec: MechanismSpec;
  readonly steps: number;
  readonly canaries: number;
  readonly delta: number;
  readonly guesses: GuessCount;
}

/** Lower bounds on ε with 95 % confidence, at the run's δ. */
export interface LowerBounds {
  /** By the theorem of Steinke, Nasr and Jagielski, which knows of (ε, δ) alone. */
  readonly epsilonDelta: number;
  /** By that of Mahloujifar, Melis and Chaudhuri, for the trade-off of a Gaussian: exact when everybody is in every step. */
  readonly tradeOff: number;
}

const confidence = 0.95;
const slicesOfCanary = 20;
/** Of the slices' gradients in clip norms, on average: what is not clipped shows. */
const canaryNorm = 20;

/**
 * The strongest run for an audit of noise, clipping and sums: everybody is in every step, so that a canary's four releases are
 * exactly one Gaussian of μ = √4 / 3.39 = 0.59, ε 2.4 at δ 1e-5; a coordinate for each canary, so that none hides another; and
 * 2,000 canaries of which the 100 highest and the 100 lowest scores are guessed: more canaries gain little, more guesses lose.
 */
export const fullBatchRun: AuditedRun = {
  spec: {
    sampleRate: 1,
    noiseMultiplier: 3.39,
    clipNorm: 0.75,
    gridExponent: -20,
    expectedBatch: 1000,
  },
  steps: 4,
  canaries: 2000,
  delta: 1e-5,
  guesses: { included: 100, excluded: 100 },
};

/** The same, with a fifth of the patients in each of 8 steps: for an audit of the sampling. */
export const sampledRun: AuditedRun = {
  ...fullBatchRun,
  spec: { ...fullBatchRun.spec, sampleRate: 0.2, noiseMultiplier: 1.45, expectedBatch: 200 },
  steps: 8,
};

/** The ε that is claimed of the run, by the package's tightest accountant. */
export function claimOf({ spec, steps, delta }: AuditedRun): number {
  const { sampleRate, noiseMultiplier } = spec;
  return epsilon([{ sampleRate, noiseMultiplier, steps }], delta, 'pld');
}

/**
 * Includes each canary by a fair coin, lets `implementation` make the releases, and scores each canary by the inner product of its
 * gradients with them. A canary's gradient changes its sign from step to step: against independent noise that is as good as
 * any other, and noise that comes again cancels.
 */
async function scoreCanaries(
  implementation: Implementation,
  run: AuditedRun,
  seed: number,
): Promise<{ scores: Float64Array; included: boolean[] }> {
  const coins = seededBytes('coins', seed)(run.canaries);
  const included = Array.from(coins, (byte) => byte >= 128);
  const release = implementation(run.spec, `canaries ${seed}`);
  const scores = new Float64Array(run.canaries);
  for (let step = 0; step < run.steps; step++) {
    const sign = step % 2 === 0 ? 1 : -1;
    const slices = Array.from(
      { length: slicesOfCanary },
      (_, i) => ((sign * run.spec.clipNorm * canaryNorm) / 10) * (5.25 + i / 2),
    );
    const cohort = included.flatMap((isIncluded, coordinate) =>
      isIncluded ? [{ coordinate, slices }] : [],
    );
    const released = await release(cohort, run.canaries);
    for (let i = 0; i < scores.length; i++)
      scores[i] = (scores[i] ?? 0) + sign * (released[i] ?? 0);
  }
  return { scores, included };
}

/** Audits the runs of seeds 1…`seeds`, each by itself. */
export async function auditSeeds(
  implementation: Implementation,
  run: AuditedRun,
  seeds: number,
): Promise<LowerBounds[]> {
  const bounds: LowerBounds[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    bounds.push(await auditCanaries(implementation, run, seed));
  }
  return bounds;
}

async function auditCanaries(
  implementation: Implementation,
  run: AuditedRun,
  seed: number,
): Promise<LowerBounds> {
  const { scores, included } = await scoreCanaries(implementation, run, seed);
  const guesses = guessMembers(scores, included, run.guesses);
  return {
    epsilonDelta: oneRunEpsilon(guesses, run.delta, confidence),
    tradeOff: gaussianEpsilon(oneRunMu(guesses, confidence), run.delta),
  };
}
