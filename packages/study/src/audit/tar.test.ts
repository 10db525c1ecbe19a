import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  blockBytes,
  isZero,
  largestEntryBytes,
  paddingBytes,
  parseTarHeader,
  tarHeader,
} from './tar.ts';

const entries = fc.record({
  name: fc.stringMatching(/^[\x21-\x7e]{1,100}$/),
  bytes: fc.integer({ min: 0, max: largestEntryBytes }),
});

test('a header that is read is the one that was written', () => {
  fc.assert(
    fc.property(entries, (entry) => {
      expect(parseTarHeader(tarHeader(entry))).toEqual(entry);
    }),
  );
});

test('no bit of a header can change', () => {
  const header = tarHeader({ name: 'payloads/0a.payload', bytes: 1_234 });
  const accepted: number[] = [];
  for (let bit = 0; bit < 8 * blockBytes; bit++) {
    const changed = header.slice();
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    try {
      parseTarHeader(changed);
      accepted.push(bit);
    } catch (error) {
      expect(error).toMatchObject({ name: 'StudyError', code: 'BUNDLE_FORMAT' });
    }
  }
  expect(accepted).toEqual([]);
});

test.each([
  ['an empty name', { name: '', bytes: 1 }],
  ['a name of 101 characters', { name: 'n'.repeat(101), bytes: 1 }],
  ['a name with a space', { name: 'a b', bytes: 1 }],
  ['a negative size', { name: 'a', bytes: -1 }],
  ['half a byte', { name: 'a', bytes: 0.5 }],
  ['8 GiB', { name: 'a', bytes: 8 ** 11 }],
])('%s has no header', (_, entry) => {
  expect(() => tarHeader(entry)).toThrow(RangeError);
});

test.each([
  [0, 0],
  [1, 511],
  [511, 1],
  [512, 0],
  [513, 511],
])('%i bytes of content are followed by %i zeros', (bytes, zeros) => {
  expect(paddingBytes(bytes)).toBe(zeros);
  expect(isZero(new Uint8Array(zeros))).toBe(true);
  expect(isZero(Uint8Array.of(0, 0, 3))).toBe(false);
});
