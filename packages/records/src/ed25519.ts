import { createPublicKey, verify } from 'node:crypto';
import nacl from 'tweetnacl';

/** Little-endian order of the base point's subgroup, L = 2^252 + 27742317777372353535851937790883648493. */
const SUBGROUP_ORDER: Uint8Array = fromHex(
  'edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010',
);
/** Little-endian field prime, p = 2^255 - 19. */
const FIELD_PRIME: Uint8Array = fromHex(
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
);
/**
 * y coordinates of the eight points whose order divides 8, little-endian. The sign bit of x is cleared before the
 * comparison, so the list also covers -x and the forbidden "negative zero"; y ≥ p is refused separately.
 */
const SMALL_ORDER_Y: readonly Uint8Array[] = [
  '0100000000000000000000000000000000000000000000000000000000000000', // order 1
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // order 2
  '0000000000000000000000000000000000000000000000000000000000000000', // order 4
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', // order 8
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', // order 8
].map(fromHex);

/** SubjectPublicKeyInfo of an Ed25519 key up to its 32 bytes (RFC 8410). */
const SPKI_PREFIX: Buffer = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * Signs `message` with a 64-byte secret key (seed, then public key): 64 bytes, R then S. Deterministic.
 *
 * @throws {RangeError} when the key is not 64 bytes.
 * @see RFC 8032 §5.1.6
 */
export function sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  if (secretKey.length !== 64) throw new RangeError('an Ed25519 secret key has 64 bytes');
  return nacl.sign.detached(message, secretKey);
}

/** The key pair of a 32-byte seed. @throws {RangeError} when the seed is not 32 bytes. */
export function keyPairOfSeed(seed: Uint8Array): { publicKey: Uint8Array; secretKey: Uint8Array } {
  if (seed.length !== 32) throw new RangeError(`an Ed25519 seed has 32 bytes, got ${seed.length}`);
  return nacl.sign.keyPair.fromSeed(seed);
}

/**
 * Whether `encoded` can stand for a public key or an R: 32 bytes, y < p, and not one of the small-order points, for
 * which a signature verifies over messages that nobody signed.
 */
export function isSafePoint(encoded: Uint8Array): boolean {
  if (encoded.length !== 32) return false;
  const y = new Uint8Array(encoded); // a copy: slice() of a Buffer would not be one
  y[31] = (y[31] ?? 0) & 0x7f;
  return isBelow(y, FIELD_PRIME) && !SMALL_ORDER_Y.some((small) => Buffer.compare(small, y) === 0);
}

/**
 * Strict Ed25519 verification. Never throws on bytes, whatever they are.
 *
 * Refuses, before the curve equation: S ≥ L (a second signature for the same message), a public key or R with y ≥ p,
 * and a public key or R of small order. tweetnacl's own verification accepts all but the last R.
 *
 * @see RFC 8032 §5.1.7; Chalkias et al. 2020, Taming the many EdDSAs
 */
export function verifyStrictly(
  message: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  if (signature.length !== 64 || !isSafePoint(publicKey)) return false;
  if (!isSafePoint(signature.subarray(0, 32))) return false;
  if (!isBelow(signature.subarray(32), SUBGROUP_ORDER)) return false;
  const key = createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, publicKey]),
    format: 'der',
    type: 'spki',
  });
  return verify(null, message, key, signature);
}

/** a < b for little-endian integers of equal length. */
function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = b.length - 1; i >= 0; i -= 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}
