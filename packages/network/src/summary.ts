import { PROTOCOL_LIMITS } from './limits.ts';
import {
  ascending,
  asMap,
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

/** How far one author's log reaches at a site, as that site claims it. */
export interface Head {
  author: string;
  /** Entries held, at least 1. */
  size: number;
  /** Merkle root over them, 32 bytes. */
  root: Uint8Array;
  /** Record id of the last one, 32 bytes. */
  last: Uint8Array;
}

/** A claim to hold two entries of `author` with the same `index`. */
export interface ForkClaim {
  author: string;
  index: number;
}

/**
 * What a site claims to hold: its version vector and its fork proofs, each strictly ascending by
 * author and at most 256 long. It is the announcement, and the first frame of `sync` in both directions.
 */
export interface Summary {
  heads: readonly Head[];
  forks: readonly ForkClaim[];
}

/** Canonical bytes: `{ type: 'summary', heads, forks }`. */
export function encodeSummary(summary: Summary): Uint8Array {
  return writeFields({
    type: 'summary',
    heads: summary.heads.map(({ author, size, root, last }) => ({ author, size, root, last })),
    forks: summary.forks.map(({ author, index }) => ({ author, index })),
  });
}

/** @throws {NetworkError} `FRAME_TOO_LARGE`, `FRAME_MALFORMED`. */
export function decodeSummary(bytes: Uint8Array): Summary {
  return summaryOf(readFields(bytes, PROTOCOL_LIMITS.announcementBytes));
}

/** Checks the fields of a summary. */
export function summaryOf(fields: Fields): Summary {
  onlyKeys(fields, ['type', 'heads', 'forks']);
  if (fields['type'] !== 'summary') {
    throw malformed('a summary was expected');
  }
  const heads = list(fields['heads'], PROTOCOL_LIMITS.summaryEntries).map((value) => {
    const head = asMap(value);
    onlyKeys(head, ['author', 'size', 'root', 'last']);
    return {
      author: siteId(head['author']),
      size: integer(head['size'], 1, MAX_INDEX),
      root: digest(head['root']),
      last: digest(head['last']),
    };
  });
  const forks = list(fields['forks'], PROTOCOL_LIMITS.summaryEntries).map((value) => {
    const fork = asMap(value);
    onlyKeys(fork, ['author', 'index']);
    return { author: siteId(fork['author']), index: integer(fork['index'], 0, MAX_INDEX) };
  });
  ascending(heads);
  ascending(forks);
  return { heads, forks };
}

/** Indices and sizes are below this, as in records. */
export const MAX_INDEX: number = 2 ** 32 - 1;
