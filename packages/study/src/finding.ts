import type { SiteId } from '@consilium/records';

/**
 * The rules whose breach the fold names.
 *
 * `FORK`: a site signed two records for one index; it is ignored from that index on.
 * `BROKEN_CHAIN`: a record does not name the one before it; the site is ignored from that index on.
 * `NOT_A_TRAINER`: an update from a site whose role does not contribute.
 * `NOT_AN_EVALUATOR`: an evaluation from an observer.
 * `ROUND_OUT_OF_RANGE`: an update for a round that the manifest does not have.
 * `ROUND_REPEATED`: an update for a round that the site has passed already.
 * `PAYLOAD_SIZE`: a payload whose size no width of the study's layout has.
 * `PRIVACY_PROFILE`: an update made under another privacy profile than the manifest's.
 * `BAD_PAYLOAD`: the payload's bytes break the format, the layout or the grid.
 * `WEIGHTS_SATURATED`: the sum of all updates left 32 bits of the grid and was held at the bound.
 * `LOG_TOO_LONG`: a site says far more than the study needs; what lies beyond the limit does not count.
 * `UNKNOWN_KIND`: a record of a kind that this version does not know; kept, and without effect.
 */
export type FindingCode =
  | 'FORK'
  | 'BROKEN_CHAIN'
  | 'NOT_A_TRAINER'
  | 'NOT_AN_EVALUATOR'
  | 'ROUND_OUT_OF_RANGE'
  | 'ROUND_REPEATED'
  | 'PAYLOAD_SIZE'
  | 'PRIVACY_PROFILE'
  | 'BAD_PAYLOAD'
  | 'WEIGHTS_SATURATED'
  | 'LOG_TOO_LONG'
  | 'UNKNOWN_KIND';

/** One breach: whose record it was, where it stands, and a sentence for people. */
export interface Finding {
  readonly code: FindingCode;
  readonly site: SiteId | null;
  readonly index: number | null;
  readonly message: string;
}
