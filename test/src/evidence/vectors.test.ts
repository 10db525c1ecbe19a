import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  checkNoteSignature,
  cosign,
  encodeCheckpoint,
  formatNote,
  formatTlogProof,
  formatVerifierKey,
  inclusionProof,
  leafHash,
  merkleRoot,
  openCheckpoint,
  openCosignatures,
  parseNote,
  parseTlogProof,
  parseVerifierKey,
  signCheckpoint,
  verifyTlogProof,
} from '@consilium/log';
import { describe, expect, test } from 'vitest';
import { logSigner, verify, witnessSigner } from './worked-example.ts';

const { CONSILIUM_SHARED } = process.env;
const shared = CONSILIUM_SHARED ?? join(import.meta.dirname, '../../../../shared');
const vectorFile = join(shared, 'vectors/crypto_vectors.json');
const { published, computed_here: computed } = existsSync(vectorFile)
  ? JSON.parse(readFileSync(vectorFile, 'utf8'))
  : { published: {}, computed_here: {} };

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

describe.skipIf(!existsSync(vectorFile))('signed evidence (shared vectors)', () => {
  const named = (vkey: string): string => vkey.slice(0, vkey.indexOf('+'));
  const setting = () => ({
    log: logSigner(named(computed.log_vkey), hex(computed.log_seed)),
    witness: witnessSigner(named(computed.witness_vkey), hex(computed.witness_seed)),
    leaves: published.rfc6962.leaf_inputs_hex.map(hex) as Uint8Array[],
  });

  test('published notes verify strictly', () => {
    for (const { vkey, note } of [published.c2sp_signed_note, published.go_note]) {
      const key = parseVerifierKey(vkey);
      if (key.type !== 'ed25519') throw new TypeError('both keys are of logs');
      expect(() => checkNoteSignature(parseNote(utf8(note)), key, verify)).not.toThrow();
    }
  });

  test('the keys of log and witness have these texts', () => {
    const { log, witness } = setting();
    expect(formatVerifierKey(log)).toBe(computed.log_vkey);
    expect(formatVerifierKey(witness)).toBe(computed.witness_vkey);
  });

  test('the whole checkpoint with its cosignature is made anew, byte for byte', () => {
    const { log, witness, leaves } = setting();
    const checkpoint = signCheckpoint({ size: 8, root: merkleRoot(leaves) }, log);
    const seen: Uint8Array[] = [];
    const sign = (message: Uint8Array): Uint8Array => {
      seen.push(message);
      return witness.sign(message);
    };
    const cosignature = cosign(checkpoint, { ...witness, sign }, computed.timestamp);
    const { text, signatures } = checkpoint.note;
    const note = formatNote({ text, signatures: [...signatures, cosignature] });
    expect(new TextDecoder().decode(note)).toBe(computed.checkpoint_with_cosignature);
    expect(seen).toEqual([utf8(computed.cosigned_message)]);
  });

  test('it is opened, and its cosignature found', () => {
    const { log, witness } = setting();
    const checkpoint = openCheckpoint(utf8(computed.checkpoint_with_cosignature), log, verify);
    expect(checkpoint).toMatchObject({ origin: log.name, size: 8 });
    expect(checkpoint.root).toEqual(hex(published.rfc6962.roots_by_size[8]));
    expect(openCosignatures(checkpoint, [witness], verify)).toEqual([
      { name: witness.name, timestampSeconds: computed.timestamp },
    ]);
    expect(encodeCheckpoint(checkpoint)).toEqual(utf8(computed.checkpoint_with_cosignature));
  });

  test('the proof of leaf 5 is made anew, byte for byte, and verified', () => {
    const { log, witness, leaves } = setting();
    const hashes = leaves.map(leafHash);
    const proof = {
      extra: null,
      index: 5,
      inclusion: inclusionProof(hashes, 5),
      checkpoint: utf8(computed.checkpoint_with_cosignature),
    };
    expect(new TextDecoder().decode(formatTlogProof(proof))).toBe(computed.tlog_proof_index5);
    expect(parseTlogProof(utf8(computed.tlog_proof_index5))).toEqual(proof);
    const policy = { logKey: log, witnesses: [witness], quorum: 1 };
    const verified = hashes.map((hash) => {
      try {
        return verifyTlogProof(utf8(computed.tlog_proof_index5), hash, policy, verify).index;
      } catch (error) {
        return Reflect.get(Object(error), 'code');
      }
    });
    const no = 'INCLUSION';
    expect(verified).toEqual([no, no, no, no, no, 5, no, no]);
  });
});
