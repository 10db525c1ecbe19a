import {
  cosign,
  encodeCheckpoint,
  formatNote,
  formatTlogProof,
  formatVerifierKey,
  inclusionProof,
  type LogSigner,
  leafHash,
  merkleRoot,
  signCheckpoint,
  type Verify,
  type WitnessSigner,
} from '@consilium/log';
import { keyFromSeed, sign, verifyStrictly } from '@consilium/records';

/** Strict verification, as the log wants it. */
export const verify: Verify = (publicKey, message, signature) =>
  verifyStrictly(message, signature, publicKey);

/** A site's key as that of its log. */
export function logSigner(name: string, seed: Uint8Array): LogSigner {
  const { publicKey, secretKey } = keyFromSeed(seed);
  return { type: 'ed25519', name, publicKey, sign: (message) => sign(message, secretKey) };
}

/** A site's key as that of a witness. */
export function witnessSigner(name: string, seed: Uint8Array): WitnessSigner {
  const { publicKey, secretKey } = keyFromSeed(seed);
  return { type: 'cosignature', name, publicKey, sign: (message) => sign(message, secretKey) };
}

/** The texts of the examples on the page about checkpoints, by their names there. */
export function workedExample(): ReadonlyMap<string, string> {
  const log = logSigner('university.example/log', new Uint8Array(32).fill(2));
  const witness = witnessSigner('general.example/witness', new Uint8Array(32).fill(1));
  const leaves = ['a', 'b', 'c'].map((text) => new TextEncoder().encode(text));
  const signed: string[] = [];
  const watched: WitnessSigner = {
    ...witness,
    sign(message) {
      signed.push(new TextDecoder().decode(message));
      return witness.sign(message);
    },
  };
  const checkpoint = signCheckpoint({ size: 3, root: merkleRoot(leaves) }, log);
  const cosignature = cosign(checkpoint, watched, 1_767_225_600);
  const { text, signatures } = checkpoint.note;
  const note = formatNote({ text, signatures: [...signatures, cosignature] });
  const inclusion = inclusionProof(leaves.map(leafHash), 2);
  const proof = formatTlogProof({ extra: null, index: 2, inclusion, checkpoint: note });
  return new Map([
    ['checkpoint', textOf(encodeCheckpoint(checkpoint))],
    ['keys', [log, witness].map(formatVerifierKey).join('\n')],
    ['cosigned', signed.join('').trimEnd()],
    ['proof', textOf(proof)],
  ]);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).trimEnd();
}
