import {
  decodeCanonical,
  encodeCanonical,
  type PlainValue,
  publicKeyOf,
  RecordError,
} from '@consilium/records';
import { NetworkError } from './error.ts';

/** A message as a map with text keys, not yet checked field by field. */
export interface Fields {
  readonly [key: string]: PlainValue;
}

/** SHA-256 and everything named by it. */
const DIGEST_BYTES = 32;

/**
 * Reads one canonical dag-cbor map of at most `maxBytes`.
 *
 * @throws {NetworkError} `FRAME_TOO_LARGE`, `FRAME_MALFORMED`.
 */
export function readFields(bytes: Uint8Array, maxBytes: number): Fields {
  if (bytes.length > maxBytes) {
    throw new NetworkError(
      'FRAME_TOO_LARGE',
      `a message here has at most ${maxBytes} bytes, got ${bytes.length}`,
    );
  }
  const value = blame('the message is not canonical dag-cbor', () => decodeCanonical(bytes));
  return asMap(value);
}

/** The canonical bytes of a message of this package. */
export function writeFields(fields: object): Uint8Array {
  return encodeCanonical(fields);
}

/** `value` as a map. @throws {NetworkError} `FRAME_MALFORMED`. */
export function asMap(value: PlainValue | undefined): Fields {
  if (!isMap(value)) {
    throw malformed('a map was expected');
  }
  return value;
}

/** Refuses a missing or an unknown key. */
export function onlyKeys(fields: Fields, keys: readonly string[]): void {
  const found = Object.keys(fields);
  if (found.length !== keys.length || !keys.every((key) => Object.hasOwn(fields, key))) {
    throw malformed(`the fields must be exactly ${keys.join(', ')}`);
  }
}

/** An integer in [min, max]. */
export function integer(value: PlainValue | undefined, min: number, max: number): number {
  if (
    typeof value !== 'number' ||
    !Number.isSafeInteger(value) ||
    Object.is(value, -0) ||
    value < min ||
    value > max
  ) {
    throw malformed(`an integer from ${min} to ${max} was expected`);
  }
  return value;
}

/** A list of at most `maxLength` values. */
export function list(value: PlainValue | undefined, maxLength: number): readonly PlainValue[] {
  if (!Array.isArray(value) || value.length > maxLength) {
    throw malformed(`a list of at most ${maxLength} values was expected`);
  }
  return value;
}

/** A byte string of `min` to `max` bytes. */
export function byteString(
  value: PlainValue | undefined,
  min: number,
  max: number = min,
): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length < min || value.length > max) {
    throw malformed(`${min} to ${max} bytes were expected`);
  }
  return value;
}

/** A SHA-256 digest. */
export function digest(value: PlainValue | undefined): Uint8Array {
  return byteString(value, DIGEST_BYTES);
}

/** The PeerId of a usable Ed25519 key. */
export function siteId(value: PlainValue | undefined): string {
  if (typeof value !== 'string') {
    throw malformed('a site id was expected');
  }
  blame('a site id was expected', () => publicKeyOf(value));
  return value;
}

/** Refuses authors that are not strictly ascending. */
export function ascending(items: readonly { author: string }[]): void {
  for (const [i, item] of items.entries()) {
    const before = items[i - 1];
    if (before !== undefined && before.author >= item.author) {
      throw malformed('authors must be strictly ascending');
    }
  }
}

/** The error for a message of the wrong shape; it never repeats what a peer sent. */
export function malformed(message: string): NetworkError {
  return new NetworkError('FRAME_MALFORMED', message);
}

function blame<T>(message: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof RecordError) {
      throw new NetworkError('FRAME_MALFORMED', message, { cause });
    }
    throw cause;
  }
}

function isMap(value: PlainValue | undefined): value is Fields {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array)
  );
}
