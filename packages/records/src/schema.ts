import { encodeCanonical, type PlainValue } from './canonical-cbor.ts';
import { RecordError } from './error.ts';

/**
 * Checks an unknown value and hands it back typed. `path` names the place in messages, which speak of types
 * and sizes but never repeat the value: it came from somebody else.
 */
export type Check<T> = (value: unknown, path: string) => T;

/** What a check lets through. */
export type Checked<C> = C extends Check<infer T> ? T : never;

/** Throws the `SCHEMA` error that every check ends in. */
export function mismatch(path: string, wanted: string, value?: unknown): never {
  const got = value === undefined ? '' : `, got ${describe(value)}`;
  throw new RecordError('SCHEMA', `${path}: wanted ${wanted}${got}`);
}

/** An integer in [min, max]. */
export function integer(min: number, max: number): Check<number> {
  return (value, path) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) {
      return value;
    }
    return mismatch(path, `an integer in ${min}…${max}`, value);
  };
}

/** A finite number in [min, max]. */
export function number(min: number, max: number): Check<number> {
  return (value, path) =>
    typeof value === 'number' && value >= min && value <= max
      ? value
      : mismatch(path, `a number in ${min}…${max}`, value);
}

/** A number that is neither NaN nor infinite. */
export const finite: Check<number> = (value, path) =>
  typeof value === 'number' && Number.isFinite(value)
    ? value
    : mismatch(path, 'a finite number', value);

/** A text of 1…maxLength UTF-16 units that matches `pattern`. */
export function text(maxLength: number, pattern: RegExp): Check<string> {
  return (value, path) => {
    if (typeof value !== 'string') return mismatch(path, 'text', value);
    if (value.length < 1 || value.length > maxLength) {
      return mismatch(path, `a text of 1…${maxLength} characters`, value);
    }
    return pattern.test(value) ? value : mismatch(path, `a text that matches ${pattern}`);
  };
}

/** A line that people read: no control characters, no line breaks, no lone surrogates, no direction overrides. */
export function line(maxLength: number): Check<string> {
  return text(maxLength, /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+$/u);
}

/** Exactly `length` bytes, copied. */
export function bytes(length: number): Check<Uint8Array> {
  return (value, path) =>
    value instanceof Uint8Array && value.length === length
      ? new Uint8Array(value)
      : mismatch(path, `${length} bytes`, value);
}

/** 1…maxLength bytes, copied. */
export function someBytes(maxLength: number): Check<Uint8Array> {
  return (value, path) =>
    value instanceof Uint8Array && value.length > 0 && value.length <= maxLength
      ? new Uint8Array(value)
      : mismatch(path, `1…${maxLength} bytes`, value);
}

/** One of the given constants. */
export function oneOf<const T extends string | number>(...allowed: readonly T[]): Check<T> {
  return (value, path) =>
    allowed.find((constant) => constant === value) ??
    mismatch(path, `one of ${allowed.join(', ')}`, value);
}

/** `null`, or what `check` lets through. */
export function nullable<T>(check: Check<T>): Check<T | null> {
  return (value, path) => (value === null ? null : check(value, path));
}

/** A list of min…max items. */
export function list<T>(check: Check<T>, min: number, max: number): Check<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) return mismatch(path, 'a list', value);
    if (value.length < min || value.length > max) {
      return mismatch(path, `a list of ${min}…${max} items`, value);
    }
    return Array.from(value, (item: unknown, i) => check(item, `${path}[${i}]`));
  };
}

/** An object with exactly these fields: a missing or an unknown one is refused. */
export function object<F extends Record<string, Check<unknown>>>(
  fields: F,
): Check<{ [K in keyof F]: Checked<F[K]> }>;
export function object(fields: Record<string, Check<unknown>>): Check<Record<string, unknown>> {
  return (value, path) => {
    if (!isPlainObject(value)) return mismatch(path, 'an object', value);
    const unknown = Object.keys(value).filter((key) => !Object.hasOwn(fields, key));
    if (unknown.length > 0) return mismatch(path, `no more than ${Object.keys(fields).join(', ')}`);
    return Object.fromEntries(
      Object.entries(fields).map(([key, check]) => {
        if (!Object.hasOwn(value, key)) mismatch(path, `a field ${key}`);
        return [key, check(value[key], `${path}.${key}`)];
      }),
    );
  };
}

/** Any plain value whose canonical encoding takes at most `maxBytes`. */
export function plain(maxBytes: number): Check<PlainValue> {
  return (value, path) => {
    const checked = plainValue(value, path, 1);
    if (encodeCanonical(checked).length > maxBytes) mismatch(path, `at most ${maxBytes} bytes`);
    return checked;
  };
}

/** A plain object whose canonical encoding takes at most `maxBytes`. */
export function plainObject(maxBytes: number): Check<{ readonly [key: string]: PlainValue }> {
  const check = plain(maxBytes);
  return (value, path) => {
    const checked = check(value, path);
    return isPlainRecord(checked) ? checked : mismatch(path, 'an object', value);
  };
}

/** Refuses a list in which two items have the same key. */
export function distinct<T>(items: readonly T[], key: (item: T) => string, path: string): void {
  if (new Set(items.map(key)).size !== items.length) mismatch(path, 'no duplicates');
}

// A record's body lies two levels down in its bytes, so this is tighter than what the decoder allows.
const MAX_PLAIN_DEPTH = 24;

function plainValue(value: unknown, path: string, depth: number): PlainValue {
  if (depth > MAX_PLAIN_DEPTH) return mismatch(path, `nesting of at most ${MAX_PLAIN_DEPTH}`);
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return finite(value, path);
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value)) {
    return Array.from(value, (item: unknown, i) => plainValue(item, `${path}[${i}]`, depth + 1));
  }
  if (!isPlainObject(value)) return mismatch(path, 'a plain value', value);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (key === '__proto__') mismatch(path, 'no key named __proto__');
      return [key, plainValue(item, `${path}.*`, depth + 1)];
    }),
  );
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isPlainRecord(value: PlainValue): value is { readonly [key: string]: PlainValue } {
  return isPlainObject(value);
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'string') return `a text of ${value.length} characters`;
  if (typeof value === 'number' && Number.isFinite(value)) return `${value}`;
  return `a value of type ${typeof value}`;
}
