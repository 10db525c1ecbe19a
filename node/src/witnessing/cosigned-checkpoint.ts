import {
  formatNote,
  LogError,
  type NoteSignature,
  openCheckpoint,
  openCosignature,
  parseCheckpoint,
  parseNote,
  signaturesOf,
  type VerifiedCheckpoint,
} from '@consilium/log';
import type { SiteId } from '@consilium/records';
import { logKeyOf, siteOfLog, verifyNote, witnessKeyOf } from '@consilium/study';

/** A verified cosignature, with the line that it came in. */
interface KeptCosignature {
  readonly signature: NoteSignature;
  /** By the witness's clock. */
  readonly timestampSeconds: number;
}

/** A checkpoint that a site signed of its log, and who cosigned it: everything verified. */
export interface CosignedCheckpoint {
  /** Whose log it is. */
  readonly site: SiteId;
  readonly checkpoint: VerifiedCheckpoint;
  /** The latest of each witness. */
  readonly cosignatures: ReadonlyMap<SiteId, KeptCosignature>;
}

/** More than there can be members, and fewer than a note can bear: of keys that were members once there may be more. */
const mostCosignatures = 300;

/**
 * Opens a note from anybody: a checkpoint of the log of one of `authors` in this study, signed by that key. Cosignatures in the names of others of `authors` are
 * verified and kept; signatures of strangers are left out.
 *
 * @throws {LogError} `NOTE`, `CHECKPOINT`, `NOTE_SIGNATURE`, and nothing else, whatever the bytes.
 */
export function openCosigned(
  bytes: Uint8Array,
  study: Uint8Array,
  authors: readonly SiteId[],
): CosignedCheckpoint {
  const note = parseNote(bytes);
  const site = siteOfLog(study, parseCheckpoint(note.text).origin);
  if (site === undefined || !authors.includes(site)) {
    throw new LogError('CHECKPOINT', 'the checkpoint is of no log of this study');
  }
  const checkpoint = openCheckpoint(bytes, logKeyOf(study, site), verifyNote);
  const witnesses = new Set(note.signatures.flatMap(({ name }) => siteOfLog(study, name) ?? []));
  const cosignatures = new Map<SiteId, KeptCosignature>();
  for (const witness of witnesses) {
    if (witness === site || !authors.includes(witness)) continue;
    const latest = latestOf(checkpoint, study, witness);
    if (latest !== undefined) cosignatures.set(witness, latest);
  }
  return { site, checkpoint, cosignatures };
}

/** The checkpoint with one more cosignature. @throws {LogError} `NOTE_SIGNATURE` when it is not one by `witness`. */
export function withCosignature(
  cosigned: CosignedCheckpoint,
  signature: NoteSignature,
  witness: SiteId,
  study: Uint8Array,
): CosignedCheckpoint {
  const { checkpoint } = cosigned;
  const key = witnessKeyOf(study, witness);
  const { timestampSeconds } = openCosignature(checkpoint, signature, key, verifyNote);
  const added = {
    ...cosigned,
    cosignatures: new Map([[witness, { signature, timestampSeconds }]]),
  };
  return merged(cosigned, added);
}

/** What two copies of one checkpoint have together: `one` itself, when the other adds nothing. @throws {RangeError} when they are not of one text. */
export function merged(one: CosignedCheckpoint, other: CosignedCheckpoint): CosignedCheckpoint {
  if (one.checkpoint.note.text !== other.checkpoint.note.text) {
    throw new RangeError('two checkpoints cannot be merged');
  }
  const added = [...other.cosignatures].filter(([witness, { timestampSeconds }]) => {
    const known = one.cosignatures.get(witness);
    return known === undefined || known.timestampSeconds < timestampSeconds;
  });
  if (added.length === 0) return one;
  const all = [...new Map([...one.cosignatures, ...added])];
  return { ...one, cosignatures: new Map(all.slice(0, mostCosignatures)) };
}

/** The note: one signature of the log, then one of each witness, in the order of their names. */
export function encodeCosigned(
  { site, checkpoint, cosignatures }: CosignedCheckpoint,
  study: Uint8Array,
): Uint8Array {
  const [own] = signaturesOf(checkpoint.note, logKeyOf(study, site));
  const others = [...cosignatures]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { signature }]) => signature);
  const signatures = own === undefined ? others : [own, ...others];
  return formatNote({ text: checkpoint.note.text, signatures });
}

function latestOf(
  checkpoint: VerifiedCheckpoint,
  study: Uint8Array,
  witness: SiteId,
): KeptCosignature | undefined {
  const key = witnessKeyOf(study, witness);
  return signaturesOf(checkpoint.note, key)
    .map((signature) => {
      const { timestampSeconds } = openCosignature(checkpoint, signature, key, verifyNote);
      return { signature, timestampSeconds };
    })
    .sort((a, b) => b.timestampSeconds - a.timestampSeconds)[0];
}
