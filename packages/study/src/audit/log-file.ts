import { MAX_ENVELOPE_BYTES } from '@consilium/records';
import { StudyError } from '../error.ts';

const lengthBytes = 4;

/** Envelopes as one file: each after its length, 4 bytes, the most significant first. */
export function encodeLogFile(envelopes: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(
      envelopes.flatMap((envelope) => {
        const length = Buffer.alloc(lengthBytes);
        length.writeUInt32BE(envelope.length);
        return [length, envelope];
      }),
    ),
  );
}

/**
 * Reads {@link encodeLogFile}; no envelope is looked at, none is above the limit of a record.
 * @throws {StudyError} `BUNDLE_FORMAT`.
 */
export function decodeLogFile(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const envelopes: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = at + lengthBytes <= bytes.length ? view.getUint32(at) : Number.POSITIVE_INFINITY;
    at += lengthBytes;
    if (length > MAX_ENVELOPE_BYTES || at + length > bytes.length) {
      throw new StudyError('BUNDLE_FORMAT', 'a log’s file is not a series of records');
    }
    envelopes.push(bytes.slice(at, at + length));
    at += length;
  }
  return envelopes;
}
