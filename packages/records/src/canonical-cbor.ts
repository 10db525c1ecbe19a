import { decode, encode } from '@ipld/dag-cbor';
import { RecordError } from './error.ts';

/** What canonical bytes can say: JSON's values and byte strings. Links, big integers and `undefined` are not part of it. */
export type PlainValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly PlainValue[]
  | { readonly [key: string]: PlainValue };

/** Nesting allowed in canonical bytes; a flat value has depth 1. */
export const MAX_DEPTH = 32;
/** Values (map keys included) allowed in canonical bytes; bounds the memory that decoding takes. */
export const MAX_ITEMS = 65_536;

/** The one canonical encoding of `value`. @throws {RecordError} `CBOR` when `value` has none. */
export function encodeCanonical(value: unknown): Uint8Array {
  try {
    return encode(value);
  } catch (cause) {
    throw new RecordError('CBOR', 'the value has no dag-cbor encoding', { cause });
  }
}

/**
 * Reads bytes that anybody may have made. The result holds no memory of `bytes`.
 *
 * Guarantee: `encodeCanonical(result)` gives `bytes` again, so equal values have equal bytes. Depth and number
 * of items are bounded by {@link MAX_DEPTH} and {@link MAX_ITEMS} before anything is allocated.
 *
 * @throws {RecordError} `CBOR`.
 * @see https://ipld.io/specs/codecs/dag-cbor/spec/
 */
export function decodeCanonical(bytes: Uint8Array): PlainValue {
  scan(bytes);
  const value = decodeScanned(new Uint8Array(bytes));
  // dag-cbor's decoder accepts long integer forms, unsorted keys and broken UTF-8: none of them survive this.
  if (!sameBytes(encodeCanonical(value), bytes)) {
    throw new RecordError('CBOR', 'the bytes are not in canonical form');
  }
  return value;
}

/** Whether two byte strings are equal. Not in constant time: for public data only. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function decodeScanned(bytes: Uint8Array): PlainValue {
  try {
    return decode<PlainValue>(bytes);
  } catch (cause) {
    throw new RecordError('CBOR', 'the bytes are not dag-cbor', { cause });
  }
}

/** Walks the bytes without allocating: exactly one item, bounded, made of plain values only. */
function scan(bytes: Uint8Array): void {
  const cursor: Cursor = { bytes, position: 0, items: 0 };
  scanItem(cursor, 1);
  if (cursor.position !== bytes.length) refuse('bytes follow the value');
}

interface Cursor {
  readonly bytes: Uint8Array;
  position: number;
  items: number;
}

const MajorType = {
  unsigned: 0,
  negative: 1,
  bytes: 2,
  text: 3,
  array: 4,
  map: 5,
  simple: 7,
} as const;

function scanItem(cursor: Cursor, depth: number): void {
  if (depth > MAX_DEPTH) refuse(`nested deeper than ${MAX_DEPTH}`);
  const { major, argument } = scanHead(cursor);
  switch (major) {
    case MajorType.unsigned:
    case MajorType.simple:
      return;
    case MajorType.negative:
      // -1 - argument must itself be a safe integer.
      if (argument === Number.MAX_SAFE_INTEGER) refuse('an integer beyond 2^53 - 1');
      return;
    case MajorType.bytes:
    case MajorType.text:
      skip(cursor, argument);
      return;
    case MajorType.array:
      for (let i = 0; i < argument; i += 1) scanItem(cursor, depth + 1);
      return;
    case MajorType.map:
      for (let i = 0; i < argument; i += 1) {
        scanKey(cursor);
        scanItem(cursor, depth + 1);
      }
      return;
    default:
      refuse('tags and links are not used in records');
  }
}

function scanKey(cursor: Cursor): void {
  const { major, argument } = scanHead(cursor);
  if (major !== MajorType.text) refuse('a map key is not text');
  const start = cursor.position;
  skip(cursor, argument);
  // Harmless here, but an invitation to trouble in whatever copies the object later.
  if (sameBytes(cursor.bytes.subarray(start, cursor.position), PROTO)) {
    refuse('__proto__ is not allowed as a key');
  }
}

const PROTO: Uint8Array = new TextEncoder().encode('__proto__');

function scanHead(cursor: Cursor): { major: number; argument: number } {
  cursor.items += 1;
  if (cursor.items > MAX_ITEMS) refuse(`more than ${MAX_ITEMS} values`);
  const first = byteAt(cursor);
  const major = first >> 5;
  const info = first & 31;
  if (major === MajorType.simple) {
    // false, true, null, float64: the rest (undefined, half floats, other simple values) has no place in dag-cbor.
    if (info === 27) skip(cursor, 8);
    else if (info < 20 || info > 22) refuse('a simple value that dag-cbor does not know');
    return { major, argument: 0 };
  }
  if (info < 24) return { major, argument: info };
  if (info > 27) refuse('an indefinite or reserved length');
  let argument = 0;
  for (let i = 0; i < 2 ** (info - 24); i += 1) argument = argument * 256 + byteAt(cursor);
  if (argument > Number.MAX_SAFE_INTEGER) refuse('an integer beyond 2^53 - 1');
  return { major, argument };
}

function byteAt(cursor: Cursor): number {
  const byte = cursor.bytes[cursor.position];
  if (byte === undefined) refuse('the bytes end early');
  cursor.position += 1;
  return byte;
}

function skip(cursor: Cursor, length: number): void {
  if (length > cursor.bytes.length - cursor.position) refuse('the bytes end early');
  cursor.position += length;
}

function refuse(reason: string): never {
  throw new RecordError('CBOR', `not canonical dag-cbor: ${reason}`);
}
