import { decodeCanonical, encodeCanonical } from './canonical-cbor.ts';
import { RecordError } from './error.ts';
import { bytes, type Check, mismatch, object, text } from './schema.ts';
import type { SiteId } from './site-id.ts';
import { siteId } from './site-id-check.ts';

/** The most that one record may take in its envelope. */
export const MAX_ENVELOPE_BYTES: number = 256 * 1024;
const MAX_PAYLOAD_TYPE_LENGTH = 128;

/** A record's exact bytes with the signature over `pae(payloadType, payload)`. Not yet verified. */
export interface Envelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
  readonly signer: SiteId;
}

const payload: Check<Uint8Array> = (value, path) =>
  value instanceof Uint8Array && value.length > 0 ? value : mismatch(path, 'bytes', value);

const envelope: Check<Envelope> = object({
  payloadType: text(MAX_PAYLOAD_TYPE_LENGTH, /^[\x21-\x7e]+$/),
  payload,
  signature: bytes(64),
  signer: siteId,
});

/**
 * The canonical dag-cbor bytes of an envelope, at most {@link MAX_ENVELOPE_BYTES}.
 *
 * @throws {RecordError} `ENVELOPE_SIZE`, `SCHEMA`.
 */
export function encodeEnvelope(value: Envelope): Uint8Array {
  const encoded = encodeCanonical(envelope(value, 'envelope'));
  checkSize(encoded);
  return encoded;
}

/**
 * Reads an envelope from anybody's bytes: bounded, canonical, complete. The signature is not looked at.
 *
 * @throws {RecordError} `ENVELOPE_SIZE`, `CBOR`, `SCHEMA`, `SITE_ID`.
 */
export function decodeEnvelope(encoded: Uint8Array): Envelope {
  checkSize(encoded);
  return envelope(decodeCanonical(encoded), 'envelope');
}

function checkSize(encoded: Uint8Array): void {
  if (encoded.length > MAX_ENVELOPE_BYTES) {
    throw new RecordError(
      'ENVELOPE_SIZE',
      `an envelope takes at most ${MAX_ENVELOPE_BYTES} bytes, got ${encoded.length}`,
    );
  }
}
