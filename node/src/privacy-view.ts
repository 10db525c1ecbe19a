import { profiles } from '@consilium/privacy';
import type { ManifestBody, PrivatePolicy } from '@consilium/records';

/** What a study promises each patient. Loud by design: `off` means that updates are not differentially private. */
export interface PrivacyView {
  readonly profile: string;
  /** The profile in plain words. */
  readonly meaning: string;
  /** The numbers behind it; null when it is `off`. */
  readonly policy: Omit<PrivatePolicy, 'profile'> | null;
}

export function privacyOf({ privacy }: Pick<ManifestBody, 'privacy'>): PrivacyView {
  const { meaning } = profiles[privacy.profile];
  if (privacy.profile === 'off') return { profile: 'off', meaning, policy: null };
  const { profile, ...policy } = privacy;
  return { profile, meaning, policy };
}

/** The lines that every command prints which shows a study. */
export function* privacyLines({ profile, meaning, policy }: PrivacyView): Iterable<string> {
  if (policy === null) {
    yield `privacy   ${profile.toUpperCase()}: ${meaning}`;
    return;
  }
  yield `privacy   ${profile}: at most ε ${policy.epsilon} at δ ${policy.delta} for one patient of one site`;
  yield `          ${meaning}`;
}
