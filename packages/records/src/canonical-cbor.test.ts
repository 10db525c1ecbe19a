import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeCanonical,
  encodeCanonical,
  MAX_DEPTH,
  MAX_ITEMS,
  type PlainValue,
} from './canonical-cbor.ts';
import { RecordError } from './error.ts';

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

const { value: plainValue } = fc.letrec<{ value: PlainValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0), // -0 is written as 0
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array(),
    fc.array(tie('value')),
    fc.dictionary(
      fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__'),
      tie('value'),
      { noNullPrototype: true },
    ),
  ),
}));

test('reads what it wrote', () => {
  fc.assert(
    fc.property(plainValue, (value) => {
      expect(decodeCanonical(encodeCanonical(value))).toEqual(value);
    }),
    { seed: 1, numRuns: 1000 },
  );
});

test('accepts no two forms of one value: whatever it reads, it would write the same', () => {
  fc.assert(
    fc.property(plainValue, fc.nat(), fc.nat(255), (value, at, byte) => {
      const bytes = encodeCanonical(value);
      bytes[at % bytes.length] = byte;
      const read = readOrRefuse(bytes);
      if (read !== undefined) expect(encodeCanonical(read)).toEqual(bytes);
    }),
    { seed: 2, numRuns: 5000 },
  );
});

function readOrRefuse(bytes: Uint8Array): PlainValue | undefined {
  try {
    return decodeCanonical(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(RecordError);
    return undefined;
  }
}

test('never throws anything but its own error, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      readOrRefuse(bytes);
    }),
    { seed: 3, numRuns: 20_000 },
  );
});

test.each([
  ['no bytes', ''],
  ['a byte after the value', '01 01'],
  ['an integer in a longer form', '18 17'],
  ['an integer of eight bytes for one of four', '1b 00000000 ffffffff'],
  ['a length in a longer form', '58 01 00'],
  ['keys out of order', 'a2 61 62 01 61 61 02'],
  ['a longer key before a shorter one', 'a2 62 61 61 01 61 62 02'],
  ['a key twice', 'a2 61 61 01 61 61 02'],
  ['a key that is no text', 'a1 01 02'],
  ['__proto__ as a key', 'a1 69 5f5f70726f746f5f5f a0'],
  ['a list of indefinite length', '9f 01 ff'],
  ['a map of indefinite length', 'bf ff'],
  ['bytes of indefinite length', '5f 41 00 ff'],
  ['a break without a beginning', 'ff'],
  ['a float of four bytes', 'fa 3fc00000'],
  ['a float of two bytes', 'f9 3e00'],
  ['a whole number as a float', 'fb 3ff0000000000000'],
  ['negative zero', 'fb 8000000000000000'],
  ['NaN', 'fb 7ff8000000000000'],
  ['infinity', 'fb 7ff0000000000000'],
  ['undefined', 'f7'],
  ['another simple value', 'e0'],
  ['a simple value in two bytes', 'f8 20'],
  ['an integer of 2^53', '1b 0020000000000000'],
  ['an integer of 2^64 - 1', '1b ffffffffffffffff'],
  ['an integer of -2^53', '3b 001fffffffffffff'],
  ['a tag', 'c1 01'],
  [
    'a link',
    'd8 2a 58 25 00 0171 1220 0000000000000000000000000000000000000000000000000000000000000000',
  ],
  ['broken UTF-8', '61 ff'],
  ['half a surrogate', '63 eda080'],
  ['text that ends early', '62 61'],
  ['a list that ends early', '82 01'],
  ['a list of 2^53 - 1 items', '9b 001fffffffffffff 01'],
  ['bytes of 2^32 - 1', '5a ffffffff 00'],
  ['a map of 2^32 - 1 entries', 'ba ffffffff'],
  ['a head that ends early', '19 01'],
])('refuses %s', (_, hex) => {
  expect(() => decodeCanonical(bytesOf(hex))).toThrow(expect.objectContaining({ code: 'CBOR' }));
});

test.each([
  ['the largest integer', '1b 001fffffffffffff', Number.MAX_SAFE_INTEGER],
  ['the smallest integer', '3b 001ffffffffffffe', Number.MIN_SAFE_INTEGER],
  ['a fraction', 'fb 3ff8000000000000', 1.5],
  ['keys by length, then by bytes', 'a3 61 61 01 61 62 02 62 61 61 03', { a: 1, b: 2, aa: 3 }],
])('accepts %s', (_, hex, value) => {
  expect(decodeCanonical(bytesOf(hex))).toEqual(value);
  expect(encodeCanonical(value)).toEqual(bytesOf(hex));
});

test('bounds the depth, exactly', () => {
  const nested = (depth: number) => Uint8Array.of(...new Array(depth - 1).fill(0x81), 0x01);
  expect(() => decodeCanonical(nested(MAX_DEPTH))).not.toThrow();
  expect(() => decodeCanonical(nested(MAX_DEPTH + 1))).toThrow('nested deeper');
  expect(() => decodeCanonical(new Uint8Array(200_000).fill(0x81))).toThrow('nested deeper');
});

test('bounds the number of values, exactly', () => {
  const many = (items: number) => encodeCanonical(new Array(items - 1).fill(0));
  expect(() => decodeCanonical(many(MAX_ITEMS))).not.toThrow();
  expect(() => decodeCanonical(many(MAX_ITEMS + 1))).toThrow('more than');
});

test('gives values that do not change with the bytes they were read from', () => {
  const bytes = encodeCanonical({ digest: Uint8Array.of(1, 2, 3) });
  const value = decodeCanonical(Buffer.from(bytes.buffer));
  bytes.fill(0);
  expect(value).toEqual({ digest: Uint8Array.of(1, 2, 3) });
});

test.each([[Number.NaN], [undefined], [Infinity], [() => 1]])('has no encoding for %s', (value) => {
  expect(() => encodeCanonical({ value })).toThrow(expect.objectContaining({ code: 'CBOR' }));
});
