import {
  type Cosignature,
  LogError,
  leafHash,
  openCheckpoint,
  parseTlogProof,
  verifyTlogProof,
} from '@consilium/log';
import { openRecord, RecordError, type SiteId, type VerifiedRecord } from '@consilium/records';
import { logKeyOf, siteOfLog, verifyNote, witnessKeyOf } from '@consilium/study';
import { NodeError } from '../error.ts';

/** Whose word is believed about the logs of a study. */
export interface Believed {
  /** Record id of the study's manifest. */
  readonly study: Uint8Array;
  witnessesOf(author: SiteId): readonly { readonly site: SiteId; readonly name: string }[];
  quorumOf(author: SiteId): number;
}

/** A record that is shown to be in its author's log. */
export interface ProvenRecord {
  readonly record: VerifiedRecord;
  /** Records under the checkpoint. */
  readonly size: number;
  /** By name, with the time by each witness's own clock. */
  readonly cosignatures: readonly { readonly name: string; readonly timestampSeconds: number }[];
}

/**
 * Checks a proof that carries its record, by nothing but the bytes and whom to believe.
 * @throws {NodeError} `NOT_PROVEN`, saying what is missing.
 */
export function provenRecord(bytes: Uint8Array, believed: Believed): ProvenRecord {
  const { study } = believed;
  try {
    const { extra, index } = parseTlogProof(bytes);
    if (extra === null) throw notProven('the proof does not carry its record');
    const record = openRecord(extra);
    const { author, index: place } = record.record;
    if (!isOfStudy(record, study)) throw notProven('the record is of another study');
    if (place !== index)
      throw notProven(`the record is number ${place}, the proof is for ${index}`);
    const witnesses = believed.witnessesOf(author);
    const policy = {
      logKey: logKeyOf(study, author),
      witnesses: witnesses.map(({ site }) => witnessKeyOf(study, site)),
      quorum: believed.quorumOf(author),
    };
    const proven = verifyTlogProof(bytes, leafHash(record.leaf), policy, verifyNote);
    const nameOf = ({ name }: Cosignature): string =>
      witnesses.find(({ site }) => site === siteOfLog(study, name))?.name ?? name;
    return {
      record,
      size: openCheckpoint(parseTlogProof(bytes).checkpoint, policy.logKey, verifyNote).size,
      cosignatures: proven.cosignatures.map((cosignature) => ({
        name: nameOf(cosignature),
        timestampSeconds: cosignature.timestampSeconds,
      })),
    };
  } catch (cause) {
    if (!(cause instanceof LogError || cause instanceof RecordError)) throw cause;
    throw notProven(cause.message, { cause });
  }
}

function isOfStudy({ id, record }: VerifiedRecord, study: Uint8Array): boolean {
  return Buffer.compare(record.study ?? id, study) === 0;
}

function notProven(message: string, options?: ErrorOptions): NodeError {
  return new NodeError(
    'NOT_PROVEN',
    message,
    'ask whoever made the file for another one; nothing follows from this one',
    options,
  );
}
