/** What a study may promise; see {@link profiles}. */
export type ProfileName = 'strict' | 'balanced' | 'reconstruction-guard' | 'off';

/** A promise in plain words, and the ε that it stands for. */
export interface Profile {
  /** ε of a whole study lies above `above`, and at most at `most`; null where nothing is promised. */
  readonly epsilon: { readonly above: number; readonly most: number } | null;
  /** What a patient may rely on, for people who decide. */
  readonly meaning: string;
}

/**
 * The named promises, strongest first. A name is never stronger than what the numbers say: the ε of a manifest must lie within its profile's range.
 *
 * @see Dwork and Roth 2014, section 2.3, for what ε means to one person; Balle, Cherubin and Hayes 2022, for what large ε still holds off
 */
export const profiles: Readonly<Record<ProfileName, Profile>> = {
  strict: {
    epsilon: { above: 0, most: 3 },
    meaning:
      'whoever knows everything else learns little about whether one patient took part; images cannot be rebuilt',
  },
  balanced: {
    epsilon: { above: 0, most: 8 },
    meaning:
      'taking part can be guessed better than by chance, not with certainty; images cannot be rebuilt',
  },
  'reconstruction-guard': {
    epsilon: { above: 8, most: 10_000 },
    meaning:
      'taking part may well be found out; the noise is only meant to keep images from being rebuilt',
  },
  off: {
    epsilon: null,
    meaning: 'updates are NOT differentially private and may reveal training data',
  },
};
