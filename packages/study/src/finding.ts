import type { SiteId } from '@consilium/records';

/**
 * The rules whose breach the fold names.
 *
 * `FORK`: a site signed two records for one index; it is ignored from that index on.
 * `SPLIT_VIEW`: a site signed two checkpoints of its log that cannot both be true; it is ignored from the index on at which the two logs differ at the latest.
 * `BROKEN_CHAIN`: a record does not name the one before it; the site is ignored from that index on.
 * `NOT_A_TRAINER`: an update from a site whose role does not contribute.
 * `NOT_AN_EVALUATOR`: an evaluation from an observer.
 * `ROUND_OUT_OF_RANGE`: an update for a round that the manifest does not have.
 * `ROUND_REPEATED`: an update for a round that the site has passed already.
 * `PAYLOAD_SIZE`: a payload whose size no width of the study's layout has.
 * `PRIVACY_PROFILE`: an update or a reservation made under another privacy profile than the manifest's.
 * `PRIVACY_CLAIM`: a reservation whose parameters are not the manifest's, or whose ε is not what its author's history comes to.
 * `OVER_BUDGET`: a reservation with which its author has spent more than the manifest's cap.
 * `NOT_RESERVED`: an update that no sound and unused reservation of its round and steps pays for.
 * `FROZEN_CHANGED`: an update that changes a tensor which the manifest does not let anyone train.
 * `BAD_PAYLOAD`: the payload's bytes break the format, the layout or the grid.
 * `WEIGHTS_SATURATED`: the sum of all updates left 32 bits of the grid and was held at the bound.
 * `LOG_TOO_LONG`: a site says far more than the study needs; what lies beyond the limit does not count.
 * `ROSTER_APPROVALS`: a change of the roster without the approvals of more than half of those who have a say, or with one that is not genuine.
 * `ROSTER_RULE`: a change of the roster, or a rotation, that the study's rules do not allow.
 * `ROSTER_CONFLICT`: a change of the roster that was approved as well as another one with the same number, which applies.
 * `UNKNOWN_KIND`: a record of a kind that this version does not know; kept, and without effect.
 */
export type FindingCode =
  | 'FORK'
  | 'SPLIT_VIEW'
  | 'BROKEN_CHAIN'
  | 'NOT_A_TRAINER'
  | 'NOT_AN_EVALUATOR'
  | 'ROUND_OUT_OF_RANGE'
  | 'ROUND_REPEATED'
  | 'PAYLOAD_SIZE'
  | 'PRIVACY_PROFILE'
  | 'PRIVACY_CLAIM'
  | 'OVER_BUDGET'
  | 'NOT_RESERVED'
  | 'FROZEN_CHANGED'
  | 'BAD_PAYLOAD'
  | 'WEIGHTS_SATURATED'
  | 'LOG_TOO_LONG'
  | 'ROSTER_APPROVALS'
  | 'ROSTER_RULE'
  | 'ROSTER_CONFLICT'
  | 'UNKNOWN_KIND';

/** One breach: whose record it was, where it stands, and a sentence for people. */
export interface Finding {
  readonly code: FindingCode;
  /** The key in whose log the record is: a member's name, or one that came after it. */
  readonly site: SiteId | null;
  readonly index: number | null;
  readonly message: string;
}
