import { createHash } from 'node:crypto';

/**
 * DSSE's pre-authentication encoding: what a signature is over, and what a log's Merkle leaf holds.
 *
 * `"DSSEv1" SP len(type) SP type SP len(payload) SP payload`, lengths being decimal byte counts. Injective: no two
 * pairs share an encoding.
 *
 * @see https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
 */
export function pae(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = Buffer.from(payloadType, 'utf8');
  return new Uint8Array(
    Buffer.concat([
      Buffer.from(`DSSEv1 ${type.length} `, 'utf8'),
      type,
      Buffer.from(` ${payload.length} `, 'utf8'),
      payload,
    ]),
  );
}

/**
 * The identifier of a record: SHA-256 of its PAE, 32 bytes. A signature is never part of it, so a signature that was
 * altered into another valid one would still be the same record.
 */
export function recordId(payloadType: string, payload: Uint8Array): Uint8Array {
  return sha256(pae(payloadType, payload));
}

/** SHA-256, 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}
