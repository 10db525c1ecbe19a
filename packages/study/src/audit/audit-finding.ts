import type { SiteId } from '@consilium/records';
import type { FindingCode } from '../finding.ts';

/**
 * What only an audit finds, beside the rules whose breach the fold names.
 *
 * `BAD_FOUNDING`: the manifest founds no study, or is not the record that the study is named for.
 * `OTHER_STUDY`: the bundle is of another study than the auditor asked about.
 * `BAD_RECORD`: an entry of a log is not a record in its one form.
 * `BAD_SIGNATURE`: a record’s signature is not one by its author.
 * `MALLEATED_SIGNATURE`: a signature was altered into a second form of itself, with S not below the group’s order.
 * `UNSAFE_KEY`: a record names a key under which signatures prove nothing, such as the identity.
 * `GAP`: a record is missing that the bundle must have: in the middle of a log, or one that other records or checkpoints know of.
 * `REPLAYED_RECORD`: a record stands where another belongs.
 * `FOREIGN_RECORD`: a record of another study lies in a log of this one.
 * `STRANGER_LOG`: a log of a key that never spoke for a member.
 * `STALE_KEY`: a key has signed records after the roster, or it itself, had ended it.
 * `HEADS_DIFFER`: a record was made from another log than the bundle shows, and nothing explains that.
 * `WRONG_HEADS`: the state that is shown is said to come from other logs than the bundle has.
 * `BAD_CHECKPOINT`: a checkpoint is not one that its log’s key signed.
 * `CHECKPOINT_DIFFERS`: a signed checkpoint is of another log than the bundle shows.
 * `BAD_COSIGNATURE`: a cosignature in a member’s name is not one by its key.
 * `MISSING_QUORUM`: too few members cosigned a log as far as updates of it are in the model.
 * `PAYLOAD_MISSING`: a payload that the model is made of is not in the bundle.
 * `PAYLOAD_DIGEST`: a payload is not what the record names.
 * `OFF_GRID`: a payload holds values that are not on the study’s grid.
 * `NORM_BAND`: an update is larger than its privacy parameters allow.
 * `NOISE_FLOOR`: an update holds less noise than its site claims.
 * `NOISE_REUSED`: two updates share their noise.
 * `WRONG_WEIGHTS`: the weights that are shown are not what the updates make.
 * `WRONG_BASE`: an update says that it was trained from a state which the records that its author held do not make.
 * `WRONG_STATE`: an evaluation is of a state which the records that its author held do not make.
 * `UNNAMED_FILE`: the bundle holds a file that nothing in it names.
 */
export type AuditFindingCode =
  | 'BAD_FOUNDING'
  | 'OTHER_STUDY'
  | 'BAD_RECORD'
  | 'BAD_SIGNATURE'
  | 'MALLEATED_SIGNATURE'
  | 'UNSAFE_KEY'
  | 'GAP'
  | 'REPLAYED_RECORD'
  | 'FOREIGN_RECORD'
  | 'STRANGER_LOG'
  | 'STALE_KEY'
  | 'HEADS_DIFFER'
  | 'WRONG_HEADS'
  | 'BAD_CHECKPOINT'
  | 'CHECKPOINT_DIFFERS'
  | 'BAD_COSIGNATURE'
  | 'MISSING_QUORUM'
  | 'PAYLOAD_MISSING'
  | 'PAYLOAD_DIGEST'
  | 'OFF_GRID'
  | 'NORM_BAND'
  | 'NOISE_FLOOR'
  | 'NOISE_REUSED'
  | 'WRONG_WEIGHTS'
  | 'WRONG_BASE'
  | 'WRONG_STATE'
  | 'UNNAMED_FILE';

/** One thing that does not hold: where it stands, and a sentence for people. */
export interface AuditFinding {
  readonly code: AuditFindingCode | FindingCode;
  /** The key in whose log it is; null where it is nobody’s. */
  readonly site: SiteId | null;
  readonly index: number | null;
  readonly message: string;
}
