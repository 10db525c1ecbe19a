import type { VerifiedCheckpoint } from './checkpoint.ts';
import { LogError } from './error.ts';
import {
  encodeText,
  type NoteSignature,
  noteKeyId,
  type Sign,
  signaturesOf,
  type Verify,
  type WitnessKey,
} from './signed-note.ts';

/** A witness's word, verified: at that time, the checkpoint was of the longest tree of its log that the witness knew. */
export interface Cosignature {
  /** The witness's. */
  readonly name: string;
  /** Seconds since 1970-01-01T00:00Z by the witness's clock, 0…2^53 - 1. Nobody else vouches for it. */
  readonly timestampSeconds: number;
}

/** A witness's key with what signs by it. */
export interface WitnessSigner extends WitnessKey {
  readonly sign: Sign;
}

const TIMESTAMP_BYTES = 8;
const SIGNATURE_BYTES = 64;

/**
 * Signs that, at that time, this is the longest tree of its log that the signer knows, and that it grew from every other that
 * it signed. Only a witness that keeps account may say so: see `createWitness`.
 *
 * @throws {RangeError} when the time is not a safe integer ≥ 0, or the signer's key or signature is malformed.
 * @see https://c2sp.org/tlog-cosignature
 */
export function cosign(
  { note }: VerifiedCheckpoint,
  signer: WitnessSigner,
  timestampSeconds: number,
): NoteSignature {
  if (!Number.isSafeInteger(timestampSeconds) || timestampSeconds < 0) {
    throw new RangeError(`wanted whole seconds since 1970, got ${timestampSeconds}`);
  }
  const keyId = noteKeyId(signer);
  const signed = signer.sign(cosignedMessage(note.text, timestampSeconds));
  if (signed.length !== SIGNATURE_BYTES) throw new RangeError('an Ed25519 signature has 64 bytes');
  const signature = new Uint8Array(TIMESTAMP_BYTES + SIGNATURE_BYTES);
  new DataView(signature.buffer).setBigUint64(0, BigInt(timestampSeconds));
  signature.set(signed, TIMESTAMP_BYTES);
  return { name: signer.name, keyId, signature };
}

/**
 * Opens a cosignature of a checkpoint that is said to be by `witness`.
 *
 * @throws {LogError} `NOTE_SIGNATURE` when it names another key, does not verify, or has a time beyond 2^53 - 1.
 */
export function openCosignature(
  { note }: VerifiedCheckpoint,
  { name, keyId, signature }: NoteSignature,
  witness: WitnessKey,
  verify: Verify,
): Cosignature {
  if (name !== witness.name || keyId !== noteKeyId(witness)) {
    throw new LogError('NOTE_SIGNATURE', `the cosignature is not in the name of ${witness.name}`);
  }
  const timestampSeconds = timestampOf(signature);
  const signed = signature.subarray(TIMESTAMP_BYTES);
  if (
    timestampSeconds === undefined ||
    !verify(witness.publicKey, cosignedMessage(note.text, timestampSeconds), signed)
  ) {
    throw new LogError('NOTE_SIGNATURE', `the cosignature is not by the key of ${name}`);
  }
  return { name, timestampSeconds };
}

/**
 * Who of `witnesses` cosigned a checkpoint: at most one cosignature, the latest, for each, in the order of `witnesses`.
 * Signatures of others are not looked at.
 *
 * @throws {LogError} `NOTE_SIGNATURE` when a signature in the name of one of them does not verify: the note was tampered with.
 */
export function openCosignatures(
  checkpoint: VerifiedCheckpoint,
  witnesses: readonly WitnessKey[],
  verify: Verify,
): Cosignature[] {
  return witnesses.flatMap((witness) =>
    signaturesOf(checkpoint.note, witness)
      .map((signature) => openCosignature(checkpoint, signature, witness, verify))
      .sort((a, b) => b.timestampSeconds - a.timestampSeconds)
      .slice(0, 1),
  );
}

/** What a witness signs: two lines of its own, then the whole text of the checkpoint. No checkpoint has a time for its size. */
function cosignedMessage(text: string, timestampSeconds: number): Uint8Array {
  return encodeText(`cosignature/v1\ntime ${timestampSeconds}\n${text}`);
}

function timestampOf(signature: Uint8Array): number | undefined {
  if (signature.length !== TIMESTAMP_BYTES + SIGNATURE_BYTES) return undefined;
  const seconds = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
  return seconds <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(seconds) : undefined;
}
