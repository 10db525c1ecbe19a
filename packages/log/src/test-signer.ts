import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { LogSigner } from './checkpoint.ts';
import type { WitnessSigner } from './cosignature.ts';
import type { Verify } from './signed-note.ts';

/** An Ed25519 PKCS #8 key up to its seed, and a public key's SubjectPublicKeyInfo up to its 32 bytes (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** A log's key for tests, from a 32-byte seed. */
export function testLog(name: string, seed: Uint8Array): LogSigner {
  return { type: 'ed25519', name, ...keyOf(seed) };
}

/** A witness's key for tests, from a 32-byte seed. */
export function testWitness(name: string, seed: Uint8Array): WitnessSigner {
  return { type: 'cosignature', name, ...keyOf(seed) };
}

/** 32 bytes of that value. */
export function testSeed(value: number): Uint8Array {
  return new Uint8Array(32).fill(value);
}

/** Node's own verification: enough for honest keys, not for hostile ones. */
export const testVerify: Verify = (publicKey, message, signature) => {
  const key = Buffer.concat([SPKI_PREFIX, publicKey]);
  return verify(null, message, createPublicKey({ key, format: 'der', type: 'spki' }), signature);
};

function keyOf(seed: Uint8Array): {
  publicKey: Uint8Array;
  sign: (message: Uint8Array) => Uint8Array;
} {
  const key = Buffer.concat([PKCS8_PREFIX, seed]);
  const secret = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(secret).export({ format: 'der', type: 'spki' });
  return {
    publicKey: new Uint8Array(spki.subarray(SPKI_PREFIX.length)),
    sign: (message) => new Uint8Array(sign(null, message, secret)),
  };
}
