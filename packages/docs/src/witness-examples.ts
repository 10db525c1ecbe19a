import {
  bareNote,
  cosign,
  formatNote,
  formatNoteSignature,
  merkleRoot,
  type NoteSignature,
  signCheckpoint,
  type VerifiedCheckpoint,
} from '@consilium/log';
import { encodeCanonical, sign } from '@consilium/records';
import { logKeyOf, witnessKeyOf } from '@consilium/study';
import { SampleStudy } from './sample-study.ts';

const study = new SampleStudy();
const { id, leaf, record } = study.manifest;

/** The checkpoint over the log of site 1, which holds the manifest. */
function checkpoint(): VerifiedCheckpoint {
  const { secretKey } = study.key(1);
  return signCheckpoint(
    { size: 1, root: merkleRoot([leaf]) },
    { ...logKeyOf(id, record.author), sign: (message) => sign(message, secretKey) },
  );
}

/** Site 2's word on it. */
function cosignature(): NoteSignature {
  const { id: site, secretKey } = study.key(2);
  const key = witnessKeyOf(id, site);
  const signer = { ...key, sign: (message: Uint8Array) => sign(message, secretKey) };
  return cosign(checkpoint(), signer, Date.UTC(2026, 0, 1) / 1000);
}

/** The note of a checkpoint that one other member has cosigned. */
export function cosignedNoteExample(): string {
  const { text, signatures } = checkpoint().note;
  const note = formatNote({ text, signatures: [...signatures, cosignature()] });
  return new TextDecoder().decode(note).trimEnd();
}

/** The example messages of the witness protocol. */
export function witnessMessages(): Record<
  'cosign' | 'cosigned' | 'conflict' | 'refused' | 'latest' | 'note' | 'absent',
  Uint8Array
> {
  const { author } = record;
  const note = bareNote(checkpoint(), logKeyOf(id, author));
  const line = new TextEncoder().encode(formatNoteSignature(cosignature()));
  return {
    cosign: encodeCanonical({ type: 'cosign', oldSize: 0, proof: [], checkpoint: note }),
    cosigned: encodeCanonical({ type: 'cosigned', line }),
    conflict: encodeCanonical({ type: 'conflict', size: 1 }),
    refused: encodeCanonical({ type: 'refused', code: 'behind' }),
    latest: encodeCanonical({ type: 'latest' }),
    note: encodeCanonical({ type: 'note', author, size: 1 }),
    absent: encodeCanonical({ type: 'absent' }),
  };
}
