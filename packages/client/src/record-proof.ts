import {
  LogError,
  leafHash,
  type ProvenLeaf,
  verifyTlogProof,
  type WitnessPolicy,
} from '@consilium/log';
import { openRecord, RecordError, type VerifiedRecord, verifyStrictly } from '@consilium/records';
import type { ProofAnswer } from './answers.ts';
import { ClientError } from './error.ts';

/** A record that is in its author's log, as its author and enough witnesses say. */
export interface ProvenRecord {
  readonly record: VerifiedRecord;
  readonly proven: ProvenLeaf;
}

/**
 * Checks that a record is what was asked for, is signed by its author, and lies in its author's log under a checkpoint that `policy` believes. Nothing of it
 * rests on the word of the node that answered.
 *
 * @throws {ClientError} `PROOF`. @throws {RangeError} when nothing could fulfil the policy.
 */
export function verifyRecordProof(
  { site, index, envelope, tlogProof }: ProofAnswer,
  wanted: { readonly site: string; readonly index: number },
  policy: WitnessPolicy,
): ProvenRecord {
  if (tlogProof === null) {
    throw new ClientError('PROOF', `nobody has signed how long the log of ${site} is yet`);
  }
  try {
    const record = openRecord(Buffer.from(envelope, 'base64'));
    const { author, index: place } = record.record;
    if (author !== wanted.site || place !== wanted.index) {
      throw new ClientError('PROOF', `record ${index} of ${site} was given, another asked for`);
    }
    const proven = verifyTlogProof(
      new TextEncoder().encode(tlogProof),
      leafHash(record.leaf),
      policy,
      (publicKey, message, signature) => verifyStrictly(message, signature, publicKey),
    );
    if (proven.index !== wanted.index) {
      throw new ClientError('PROOF', `the proof is for leaf ${proven.index}, not ${wanted.index}`);
    }
    return { record, proven };
  } catch (cause) {
    if (!(cause instanceof LogError || cause instanceof RecordError)) throw cause;
    throw new ClientError('PROOF', cause.message, { cause });
  }
}
