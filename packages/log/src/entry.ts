import { LogError } from './error.ts';

/** What the log needs to know about an entry; everything else in it is its reader's business. */
export interface EntryPlace {
  /** Whose log it belongs to: 1…128 visible ASCII characters without `/`. */
  readonly author: string;
  /** Place in that log, 0…2^32 - 1. */
  readonly index: number;
  /** `id` of the author's entry before it; `null` iff `index` is 0. */
  readonly previous: Uint8Array | null;
  /** Names what the entry says, 32 bytes. Two entries with one id say the same. */
  readonly id: Uint8Array;
  /** Its data in the author's Merkle tree. */
  readonly leaf: Uint8Array;
}

/**
 * Reads one entry. It must throw on bytes that are not a valid entry (a bad signature included): what it lets through is
 * stored, chained and served to others.
 */
export type EntryReader = (entry: Uint8Array) => EntryPlace;

const AUTHOR = /^[\x21-\x2e\x30-\x7e]{1,128}$/;
const MAX_INDEX = 2 ** 32 - 1;

/** Runs the reader and checks what it says. @throws {LogError} `ENTRY`, `CHAIN`. */
export function readPlace(read: EntryReader, entry: Uint8Array): EntryPlace {
  const place = readChecked(read, entry);
  const { author, index, previous, id } = place;
  if (!isAuthor(author) || !Number.isInteger(index) || index < 0 || index > MAX_INDEX) {
    throw new LogError('ENTRY', 'the entry names no usable author and index');
  }
  if (id.length !== 32) throw new LogError('ENTRY', `an entry id has 32 bytes, got ${id.length}`);
  if ((previous === null) !== (index === 0)) {
    throw new LogError(
      'CHAIN',
      `entry ${index} of ${author} must ${index === 0 ? 'not ' : ''}name the one before`,
    );
  }
  return place;
}

/** Whether a text can name an author. */
export function isAuthor(text: string): boolean {
  return AUTHOR.test(text);
}

function readChecked(read: EntryReader, entry: Uint8Array): EntryPlace {
  try {
    return read(entry);
  } catch (cause) {
    throw new LogError('ENTRY', 'the bytes are not a valid entry', { cause });
  }
}
