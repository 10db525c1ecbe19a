import { base58btc } from 'multiformats/bases/base58';
import { sameBytes } from './canonical-cbor.ts';
import { isSafePoint } from './ed25519.ts';
import { RecordError } from './error.ts';

/** A site's name for machines: the text of its libp2p PeerId, `12D3KooW…`, always 52 characters. */
export type SiteId = string;

/** Identity multihash (0x00, 36 bytes) of libp2p's protobuf public key (type 1 = Ed25519, 32 bytes of data). */
const PREFIX: Uint8Array = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);
const ID_LENGTH = 52;

/**
 * The PeerId text of a 32-byte Ed25519 public key.
 *
 * @throws {RangeError} when the key is not 32 bytes.
 * @see https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
 */
export function siteIdOf(publicKey: Uint8Array): SiteId {
  if (publicKey.length !== 32) {
    throw new RangeError(`an Ed25519 public key has 32 bytes, got ${publicKey.length}`);
  }
  return base58btc.baseEncode(Buffer.concat([PREFIX, publicKey]));
}

/**
 * The 32-byte public key inside a PeerId text.
 *
 * Guarantee: `siteIdOf(publicKeyOf(id)) === id`, and the key is canonical and not of small order.
 *
 * @throws {RecordError} `SITE_ID` for any other text.
 */
export function publicKeyOf(id: SiteId): Uint8Array {
  // Length first: base58 decoding takes time quadratic in it.
  if (id.length !== ID_LENGTH) throw notAnId();
  const bytes = decodeBase58(id);
  if (bytes.length !== PREFIX.length + 32 || !sameBytes(bytes.subarray(0, PREFIX.length), PREFIX)) {
    throw notAnId();
  }
  const publicKey = bytes.slice(PREFIX.length);
  if (siteIdOf(publicKey) !== id || !isSafePoint(publicKey)) throw notAnId();
  return publicKey;
}

function decodeBase58(id: string): Uint8Array {
  try {
    return base58btc.baseDecode(id);
  } catch (cause) {
    throw notAnId({ cause });
  }
}

function notAnId(options?: ErrorOptions): RecordError {
  return new RecordError('SITE_ID', 'wanted the PeerId of an Ed25519 key (12D3KooW…)', options);
}
