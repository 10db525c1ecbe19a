import { PROTOCOL_LIMITS } from './limits.ts';
import {
  byteString,
  type Fields,
  integer,
  list,
  malformed,
  onlyKeys,
  readFields,
  siteId,
  writeFields,
} from './message-fields.ts';
import { MAX_INDEX, type Summary, summaryOf } from './summary.ts';

/** Asks for entries of one log, from an index on. */
export interface ReadRequest {
  type: 'read';
  author: string;
  from: number;
  /** 1 to 256. */
  count: number;
}

/** Asks for the two entries that prove a fork. */
export interface ForkRequest {
  type: 'fork';
  author: string;
}

/** The answer to `read`: consecutive envelopes from `from` on, none when there is nothing there. */
export interface EntriesAnswer {
  type: 'entries';
  entries: readonly Uint8Array[];
}

/** The answer to `fork`: two envelopes with one index, or none. */
export interface ProofAnswer {
  type: 'proof';
  entries: readonly Uint8Array[];
}

/** What the side that opened the stream sends: one summary first, then any number of the others. */
export type SyncRequest = { type: 'summary'; summary: Summary } | ReadRequest | ForkRequest;

/** What comes back: one for each request, in order. */
export type SyncAnswer = { type: 'summary'; summary: Summary } | EntriesAnswer | ProofAnswer;

/** Canonical bytes of a request other than the summary, or of an answer other than the summary. */
export function encodeSyncMessage(
  message: ReadRequest | ForkRequest | EntriesAnswer | ProofAnswer,
): Uint8Array {
  return writeFields(message);
}

/** @throws {NetworkError} `FRAME_TOO_LARGE`, `FRAME_MALFORMED`. */
export function decodeSyncRequest(bytes: Uint8Array): SyncRequest {
  const fields = readFields(bytes, PROTOCOL_LIMITS.requestBytes);
  switch (fields['type']) {
    case 'summary':
      return { type: 'summary', summary: summaryOf(fields) };
    case 'read':
      onlyKeys(fields, ['type', 'author', 'from', 'count']);
      return {
        type: 'read',
        author: siteId(fields['author']),
        from: integer(fields['from'], 0, MAX_INDEX),
        count: integer(fields['count'], 1, PROTOCOL_LIMITS.entriesPerFrame),
      };
    case 'fork':
      onlyKeys(fields, ['type', 'author']);
      return { type: 'fork', author: siteId(fields['author']) };
    default:
      throw malformed('not a request of the sync protocol');
  }
}

/** @throws {NetworkError} `FRAME_TOO_LARGE`, `FRAME_MALFORMED`. */
export function decodeSyncAnswer(bytes: Uint8Array): SyncAnswer {
  const fields = readFields(bytes, PROTOCOL_LIMITS.syncFrameBytes);
  switch (fields['type']) {
    case 'summary':
      return { type: 'summary', summary: summaryOf(fields) };
    case 'entries':
      return { type: 'entries', entries: entriesOf(fields, PROTOCOL_LIMITS.entriesPerFrame) };
    case 'proof': {
      const entries = entriesOf(fields, 2);
      if (entries.length === 1) {
        throw malformed('a fork proof has two entries');
      }
      return { type: 'proof', entries };
    }
    default:
      throw malformed('not an answer of the sync protocol');
  }
}

function entriesOf(fields: Fields, maxLength: number): readonly Uint8Array[] {
  onlyKeys(fields, ['type', 'entries']);
  return list(fields['entries'], maxLength).map((entry) =>
    byteString(entry, 1, PROTOCOL_LIMITS.entryBytes),
  );
}
