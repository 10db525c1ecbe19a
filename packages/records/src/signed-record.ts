import { decodeCanonical, encodeCanonical } from './canonical-cbor.ts';
import { sign, verifyStrictly } from './ed25519.ts';
import { decodeEnvelope, type Envelope, encodeEnvelope } from './envelope.ts';
import { RecordError } from './error.ts';
import { pae, sha256 } from './pae.ts';
import {
  type ConsiliumRecord,
  checkPayloadType,
  parseRecord,
  payloadTypeOf,
  type RecordDraft,
} from './record.ts';
import { publicKeyOf, type SiteId } from './site-id.ts';
import type { SiteKey } from './site-key.ts';

declare const verified: unique symbol;

/** A record whose every rule that can be checked alone was checked. Only {@link openRecord} makes one. */
export interface VerifiedRecord {
  readonly [verified]: true;
  /** Record id, 32 bytes. */
  readonly id: Uint8Array;
  /** The envelope's bytes as they came. */
  readonly envelope: Uint8Array;
  /** Merkle leaf data: the PAE bytes, whose SHA-256 is the id. */
  readonly leaf: Uint8Array;
  readonly record: ConsiliumRecord;
}

/**
 * Signs a record and returns its envelope's bytes, as they go into a log and to peers.
 *
 * @throws {RecordError} `SIGNER` when `key` is not the author's; `SCHEMA`, `SITE_ID`, `CBOR`, `ENVELOPE_SIZE` when nobody would accept it.
 */
export function signRecord(key: SiteKey, draft: RecordDraft): Uint8Array {
  const { known: _known, ...fields } = draft;
  const { known, ...record } = parseRecord(fields);
  if (draft.known === false && known) {
    throw new RecordError('SCHEMA', `kind ${record.kind} is known: sign it as such`);
  }
  checkSigner(key.id, record.author);
  const payloadType = payloadTypeOf(record.kind);
  const payload = encodeCanonical(record);
  const signature = sign(pae(payloadType, payload), key.secretKey);
  return encodeEnvelope({ payloadType, payload, signature, signer: key.id });
}

/**
 * Opens an envelope from anybody. Time and memory are bounded by the envelope's size limit.
 *
 * Checks, in order: size, canonical envelope, canonical record, schema of the kind, payload type, signer is author,
 * strict signature. Not checked, since it takes more than the record: the chain, the study, the roster.
 *
 * @throws {RecordError} and nothing else, whatever the bytes.
 */
export function openRecord(envelopeBytes: Uint8Array): VerifiedRecord {
  const envelope = decodeEnvelope(envelopeBytes);
  const record = parseRecord(decodeCanonical(envelope.payload));
  checkPayloadType(envelope.payloadType, record.kind);
  checkSigner(envelope.signer, record.author);
  const leaf = pae(envelope.payloadType, envelope.payload);
  checkSignature(envelope, leaf);
  const kept = new Uint8Array(envelopeBytes); // a copy: slice() of a Buffer would not be one
  return verifiedRecord({ id: sha256(leaf), envelope: kept, leaf, record });
}

/** Where a record belongs in its author's log. @throws {RecordError} as {@link openRecord}. */
export function logPlaceOf(envelopeBytes: Uint8Array): LogPlace {
  const { id, leaf, record } = openRecord(envelopeBytes);
  return { author: record.author, index: record.index, previous: record.previous, id, leaf };
}

/** A record's place in its author's log, its id (32 bytes) and its Merkle leaf data. */
export interface LogPlace {
  author: SiteId;
  index: number;
  previous: Uint8Array | null;
  id: Uint8Array;
  leaf: Uint8Array;
}

function checkSigner(signer: SiteId, author: SiteId): void {
  if (signer !== author) {
    throw new RecordError('SIGNER', `signed by ${signer}, but the author is ${author}`);
  }
}

function checkSignature({ signature, signer }: Envelope, message: Uint8Array): void {
  if (!verifyStrictly(message, signature, publicKeyOf(signer))) {
    throw new RecordError('SIGNATURE', `the signature is not one by ${signer}`);
  }
}

function verifiedRecord(fields: Omit<VerifiedRecord, typeof verified>): VerifiedRecord {
  return fields as VerifiedRecord;
}
