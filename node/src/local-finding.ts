/**
 * What a site found out about its own computing, for its operator; members are told nothing.
 *
 * - `NON_FINITE`: a round's training met a value that is NaN, infinite or too large, and was abandoned; nothing of it was released.
 */
export type LocalFindingCode = 'NON_FINITE';

export interface LocalFinding {
  readonly code: LocalFindingCode;
  readonly round: number;
  /** Digest of the state that was trained from. From this one the round is not trained again. */
  readonly state: string;
  /** Nothing of a patient. */
  readonly message: string;
}
