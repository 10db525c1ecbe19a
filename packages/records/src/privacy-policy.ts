import {
  type Check,
  distinct,
  integer,
  list,
  mismatch,
  number,
  object,
  oneOf,
  text,
} from './schema.ts';

/** Profiles under which every update is differentially private. What each promises: the privacy package's `profiles`. */
export type PrivateProfile = 'strict' | 'balanced' | 'reconstruction-guard';

/** Updates are not differentially private. */
export interface NoPrivacy {
  readonly profile: 'off';
}

/** The differential privacy that a study's manifest promises to every patient of every trainer. */
export interface PrivatePolicy {
  readonly profile: PrivateProfile;
  /** Cap on what one site may spend of one patient's privacy over the whole study, above 0, at most 10,000. */
  readonly epsilon: number;
  /** In (0, 0.1); the study refuses more than 1 ÷ (10 × patients) of any trainer. */
  readonly delta: number;
  /** Probability with which each patient is drawn into a step, in (0, 1]. */
  readonly sampleRate: number;
  /** Standard deviation of the noise ÷ clip norm, in (0, 10,000]. */
  readonly noiseMultiplier: number;
  /** Largest L2 norm of one patient's gradient, in (0, 10^6]. */
  readonly clipNorm: number;
  /** Gradients are integers times 2^gradientExponent, -60…0. */
  readonly gradientExponent: number;
  /** Slices that stand for a drawn patient in one step, 1…64. */
  readonly slicesPerPatient: number;
  /** Names of the shared tensors that are trained, in the layout's order; every other one stays as it is. At least one. */
  readonly trainable: readonly string[];
}

/** Under which privacy a study runs. */
export type PrivacyPolicy = NoPrivacy | PrivatePolicy;

const above0 = (max: number): Check<number> => {
  const check = number(0, max);
  return (value, path) => {
    const checked = check(value, path);
    return checked > 0 ? checked : mismatch(path, 'more than 0', value);
  };
};

/** A probability of being drawn. */
export const sampleRate: Check<number> = above0(1);
/** Noise ÷ clip norm. */
export const noiseMultiplier: Check<number> = above0(10_000);

export const privateProfile: Check<PrivateProfile> = oneOf(
  'strict',
  'balanced',
  'reconstruction-guard',
);

const off: Check<NoPrivacy> = object({ profile: oneOf('off') });

const fields: Check<PrivatePolicy> = object({
  profile: privateProfile,
  epsilon: above0(10_000),
  delta: above0(0.1),
  sampleRate,
  noiseMultiplier,
  clipNorm: above0(1e6),
  gradientExponent: integer(-60, 0),
  slicesPerPatient: integer(1, 64),
  trainable: list(text(128, /^[\x21-\x7e]+$/), 1, 4096),
});

/** Checks a manifest's privacy. @throws {RecordError} `SCHEMA`. */
export const privacyPolicy: Check<PrivacyPolicy> = (value, path) => {
  if (isOff(value)) return off(value, path);
  const policy = fields(value, path);
  distinct(policy.trainable, (name) => name, `${path}.trainable`);
  return policy;
};

/** Whether a value claims the profile `off`: which of two shapes it must have. */
export function isOff(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && 'profile' in value && value.profile === 'off'
  );
}
