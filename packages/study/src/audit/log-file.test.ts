import { MAX_ENVELOPE_BYTES } from '@consilium/records';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeLogFile, encodeLogFile } from './log-file.ts';

test('a log’s file holds its envelopes, whatever they are', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 70 })), (envelopes) => {
      expect(decodeLogFile(encodeLogFile(envelopes))).toEqual(envelopes);
    }),
  );
});

test.each([
  ['half a length', [0, 0, 0]],
  ['fewer bytes than it says', [0, 0, 0, 5, 1, 2, 3, 4]],
  ['a record above the limit', [...lengthOf(MAX_ENVELOPE_BYTES + 1), 0]],
])('%s is refused', (_, bytes) => {
  expect(() => decodeLogFile(Uint8Array.from(bytes))).toThrow(
    expect.objectContaining({ code: 'BUNDLE_FORMAT' }),
  );
});

function lengthOf(bytes: number): number[] {
  return [24, 16, 8, 0].map((shift) => (bytes >>> shift) & 0xff);
}
