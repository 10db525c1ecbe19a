import { keyPairOfSeed } from './ed25519.ts';
import { type SiteId, siteIdOf } from './site-id.ts';

/**
 * The one key of a site: it signs records, names their author and is its libp2p identity.
 * `secretKey` is 64 bytes (seed, then public key): tweetnacl's secret key and libp2p's raw private key alike.
 */
export interface SiteKey {
  readonly id: SiteId;
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** A new key from a cryptographic source of random bytes. @throws {RangeError} when the source is short. */
export function generateKey(random: (length: number) => Uint8Array): SiteKey {
  return keyFromSeed(random(32));
}

/** The key of a 32-byte seed; the same seed gives the same key. @throws {RangeError} when it is not 32 bytes. */
export function keyFromSeed(seed: Uint8Array): SiteKey {
  const { publicKey, secretKey } = keyPairOfSeed(seed);
  return { id: siteIdOf(publicKey), publicKey, secretKey };
}
