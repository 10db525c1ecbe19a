import type { Contradiction, CosignRequest } from '@consilium/log';
import { PROTOCOL_LIMITS } from './limits.ts';
import {
  asMap,
  byteString,
  digest,
  type Fields,
  integer,
  list,
  malformed,
  onlyKeys,
  readFields,
  siteId,
  writeFields,
} from './message-fields.ts';
import { MAX_INDEX } from './summary.ts';

/** A note that a site claims to hold: of whose log, over how many records, with which root, and who cosigned it. */
export interface NoteClaim {
  author: string;
  /** At least 1. */
  size: number;
  /** 32 bytes. */
  root: Uint8Array;
  /** How many members cosigned it. */
  cosigned: number;
  /** Who: SHA-256 of their ids, ascending, with a newline after each. */
  cosigners: Uint8Array;
}

/**
 * Why a site does not cosign a checkpoint.
 *
 * - `behind`: it does not hold the log that far yet, and cosigns only what it holds: ask again.
 * - `not-now`: it has not heard from other members since it started, and might have forgotten what it cosigned: ask again.
 * - `unknown-log`, `bad-signature`, `malformed`, `inconsistent`: as a witness answers, see the log package.
 */
export type CosignRefusal = (typeof REFUSALS)[number];

/** What a member answers who was asked to cosign. */
export type CosignReply =
  /** A note's signature line, without its newline. */
  | { type: 'cosigned'; line: Uint8Array }
  /** The size that it last cosigned; 0 for none. */
  | { type: 'conflict'; size: number }
  /** Proof that the log's author has signed another story. */
  | { type: 'contradiction'; contradiction: Contradiction }
  | { type: 'refused'; code: CosignRefusal };

/** What the side that opened the stream sends. */
export type WitnessRequest =
  | { type: 'cosign'; request: CosignRequest }
  | { type: 'latest' }
  | { type: 'note'; author: string; size: number };

/** What comes back: one for each request, in order. */
export type WitnessAnswer =
  | CosignReply
  | { type: 'latest'; notes: readonly NoteClaim[] }
  | { type: 'note'; note: Uint8Array }
  | { type: 'absent' };

const REFUSALS = [
  'behind',
  'not-now',
  'unknown-log',
  'bad-signature',
  'malformed',
  'inconsistent',
] as const;
const MAX_SIZE = MAX_INDEX + 1;

/** Canonical bytes of a request. */
export function encodeWitnessRequest(message: WitnessRequest): Uint8Array {
  if (message.type !== 'cosign') return writeFields(message);
  const { oldSize, proof, checkpoint } = message.request;
  return writeFields({ type: 'cosign', oldSize, proof, checkpoint });
}

/** Canonical bytes of an answer. */
export function encodeWitnessAnswer(message: WitnessAnswer): Uint8Array {
  if (message.type === 'latest') {
    const notes = message.notes.map(({ author, size, root, cosigned, cosigners }) => ({
      author,
      size,
      root,
      cosigned,
      cosigners,
    }));
    return writeFields({ type: 'latest', notes });
  }
  if (message.type !== 'contradiction') return writeFields(message);
  const { smaller, larger, root, proof } = message.contradiction;
  return writeFields({ type: 'contradiction', smaller, larger, root, proof });
}

/** @throws {NetworkError} `FRAME_TOO_LARGE`, `FRAME_MALFORMED`. */
export function decodeWitnessRequest(bytes: Uint8Array): WitnessRequest {
  const fields = readFields(bytes, PROTOCOL_LIMITS.requestBytes);
  switch (fields['type']) {
    case 'cosign': {
      onlyKeys(fields, ['type', 'oldSize', 'proof', 'checkpoint']);
      const oldSize = integer(fields['oldSize'], 0, MAX_SIZE);
      const request = {
        oldSize,
        proof: hashes(fields),
        checkpoint: bareNote(fields, 'checkpoint'),
      };
      return { type: 'cosign', request };
    }
    case 'latest':
      onlyKeys(fields, ['type']);
      return { type: 'latest' };
    case 'note': {
      onlyKeys(fields, ['type', 'author', 'size']);
      const size = integer(fields['size'], 1, MAX_SIZE);
      return { type: 'note', author: siteId(fields['author']), size };
    }
    default:
      throw malformed('not a request of the witness protocol');
  }
}

/** @throws {NetworkError} `FRAME_TOO_LARGE`, `FRAME_MALFORMED`. */
export function decodeWitnessAnswer(bytes: Uint8Array): WitnessAnswer {
  const fields = readFields(bytes, PROTOCOL_LIMITS.witnessFrameBytes);
  switch (fields['type']) {
    case 'cosigned':
      onlyKeys(fields, ['type', 'line']);
      return { type: 'cosigned', line: byteString(fields['line'], 1, PROTOCOL_LIMITS.lineBytes) };
    case 'conflict':
      onlyKeys(fields, ['type', 'size']);
      return { type: 'conflict', size: integer(fields['size'], 0, MAX_SIZE) };
    case 'contradiction':
      return { type: 'contradiction', contradiction: contradictionOf(fields) };
    case 'refused': {
      onlyKeys(fields, ['type', 'code']);
      const code = REFUSALS.find((refusal) => refusal === fields['code']);
      if (code === undefined) throw malformed('no reason for a refusal');
      return { type: 'refused', code };
    }
    case 'latest':
      onlyKeys(fields, ['type', 'notes']);
      return { type: 'latest', notes: claimsOf(fields) };
    case 'note':
      onlyKeys(fields, ['type', 'note']);
      return { type: 'note', note: byteString(fields['note'], 1, PROTOCOL_LIMITS.noteBytes) };
    case 'absent':
      onlyKeys(fields, ['type']);
      return { type: 'absent' };
    default:
      throw malformed('not an answer of the witness protocol');
  }
}

function contradictionOf(fields: Fields): Contradiction {
  onlyKeys(fields, ['type', 'smaller', 'larger', 'root', 'proof']);
  return {
    smaller: bareNote(fields, 'smaller'),
    larger: bareNote(fields, 'larger'),
    root: digest(fields['root']),
    proof: hashes(fields),
  };
}

function claimsOf(fields: Fields): NoteClaim[] {
  const claims = list(fields['notes'], PROTOCOL_LIMITS.noteClaims).map((value) => {
    const claim = asMap(value);
    onlyKeys(claim, ['author', 'size', 'root', 'cosigned', 'cosigners']);
    return {
      author: siteId(claim['author']),
      size: integer(claim['size'], 1, MAX_SIZE),
      root: digest(claim['root']),
      cosigned: integer(claim['cosigned'], 0, PROTOCOL_LIMITS.summaryEntries),
      cosigners: digest(claim['cosigners']),
    };
  });
  for (const [i, { author, size }] of claims.entries()) {
    const before = claims[i - 1];
    if (
      before !== undefined &&
      (before.author > author || (before.author === author && before.size >= size))
    ) {
      throw malformed('notes must be strictly ascending by author and size');
    }
  }
  return claims;
}

/** A note without cosignatures. */
function bareNote(fields: Fields, key: string): Uint8Array {
  return byteString(fields[key], 1, PROTOCOL_LIMITS.checkpointBytes);
}

function hashes(fields: Fields): Uint8Array[] {
  return list(fields['proof'], PROTOCOL_LIMITS.proofHashes).map(digest);
}
