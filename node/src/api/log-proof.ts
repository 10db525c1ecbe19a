import type { ProofAnswer } from '@consilium/client';
import {
  formatTlogProof,
  inclusionProof,
  LogError,
  leafHash,
  merkleRoot,
  parseCheckpoint,
  parseNote,
} from '@consilium/log';
import type { SiteId, VerifiedRecord } from '@consilium/records';
import { ApiError } from './error.ts';

/** Where the checkpoints that authors signed of their logs come from, with the cosignatures that are known here. */
export interface CheckpointSource {
  /** The notes of checkpoints of a site's log, those first that are to be shown before others: the witnessed one, then the newest. */
  notes(site: SiteId): Promise<readonly Uint8Array[]>;
}

/** A node that keeps no checkpoints. */
export const noCheckpoints: CheckpointSource = { notes: async () => [] };

/**
 * A record with the proof that it is in its author's log. Where a checkpoint is known that covers it and agrees with the log here, the proof leads to the first
 * such and can be checked by whoever believes its signers; else it leads to where the log stands here.
 *
 * @param records the author's log, in order
 * @throws {ApiError} `RECORD_UNKNOWN`.
 */
export async function logProof(
  site: SiteId,
  index: number,
  records: readonly VerifiedRecord[],
  checkpoints: CheckpointSource,
): Promise<ProofAnswer> {
  const record = records[index];
  if (record === undefined) {
    const message = `of the log of ${site}, ${records.length} records are known here`;
    throw new ApiError('RECORD_UNKNOWN', message);
  }
  const covering = (await checkpoints.notes(site))
    .map((note) => ({ note, size: coveredBy(note, records) }))
    .find(({ size }) => index < size);
  const size = covering?.size ?? records.length;
  const leaves = records.slice(0, size).map(({ leaf }) => leaf);
  const inclusion = inclusionProof(leaves.map(leafHash), index);
  const proof =
    covering === undefined
      ? null
      : formatTlogProof({ extra: null, index, inclusion, checkpoint: covering.note });
  return {
    site,
    index,
    envelope: Buffer.from(record.envelope).toString('base64'),
    size,
    root: Buffer.from(merkleRoot(leaves)).toString('hex'),
    inclusion: inclusion.map((hash) => Buffer.from(hash).toString('hex')),
    tlogProof: proof === null ? null : new TextDecoder().decode(proof),
  };
}

/** How many records a checkpoint covers that agrees with the log here; 0 for any other. Who signed it, whoever asks checks. */
function coveredBy(note: Uint8Array, records: readonly VerifiedRecord[]): number {
  try {
    const { size, root } = parseCheckpoint(parseNote(note).text);
    if (size > records.length) return 0;
    const here = merkleRoot(records.slice(0, size).map(({ leaf }) => leaf));
    return Buffer.compare(here, root) === 0 ? size : 0;
  } catch (error) {
    if (error instanceof LogError) return 0;
    throw error;
  }
}
