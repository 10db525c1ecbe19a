import fc from 'fast-check';
import { encode } from 'fast-png';
import { expect, test } from 'vitest';
import { ImagingError } from './error.ts';
import { decodePngSlice } from './png-slice.ts';

const pixels = Uint8Array.from({ length: 7 * 5 }, (_, i) => (i * 37) % 256);
const png = encode({ width: 7, height: 5, data: pixels, channels: 1, depth: 8 });

/** Runs `read` and returns what it was refused with; anything but an ImagingError fails the test. */
function refusal(read: () => unknown): ImagingError {
  try {
    read();
  } catch (error) {
    if (error instanceof ImagingError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

test('reads what was written, also out of the middle of a larger buffer', () => {
  const padded = new Uint8Array(png.length + 20);
  padded.set(png, 11);
  const slice = decodePngSlice(padded.subarray(11, 11 + png.length), 'a.png');
  expect(slice).toEqual({ width: 7, height: 5, pixels });
});

test('tells a file that ends early from a damaged one, wherever it ends', () => {
  for (let length = 0; length < png.length; length++) {
    const error = refusal(() => decodePngSlice(png.subarray(0, length), 'ct/0007.png'));
    expect(error.code).toBe('TRUNCATED_IMAGE');
    expect(error.message).toContain('ct/0007.png');
  }
});

test('refuses every flipped bit before the end mark', () => {
  const bits = fc.integer({ min: 0, max: (png.length - 12) * 8 - 1 });
  fc.assert(
    fc.property(bits, (bit) => {
      const damaged = png.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(refusal(() => decodePngSlice(damaged, 'x.png')).code).toMatch(
        /^(IMAGE_FORMAT|TRUNCATED_IMAGE|CORRUPT_IMAGE)$/,
      );
    }),
    { seed: 7, numRuns: 600 },
  );
});

test('never fails with anything but an ImagingError, whatever the bytes', () => {
  const head = png.subarray(0, 33);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, withHead) => {
      const file = withHead ? Uint8Array.from([...head, ...bytes]) : bytes;
      expect(refusal(() => decodePngSlice(file, 'x.png'))).toBeInstanceOf(ImagingError);
    }),
    { seed: 8, numRuns: 500 },
  );
});

test.each([
  ['16 bits a pixel', { data: new Uint16Array(35), channels: 1, depth: 16 as const }],
  ['colour', { data: new Uint8Array(105), channels: 3, depth: 8 as const }],
  ['grey with transparency', { data: new Uint8Array(70), channels: 2, depth: 8 as const }],
])('refuses %s', (_, image) => {
  const file = encode({ width: 7, height: 5, ...image });
  expect(refusal(() => decodePngSlice(file, 'x.png')).code).toBe('IMAGE_FORMAT');
});

test('refuses a picture that is wider than any slice', () => {
  const file = encode({
    width: 4097,
    height: 1,
    data: new Uint8Array(4097),
    channels: 1,
    depth: 8,
  });
  expect(refusal(() => decodePngSlice(file, 'x.png')).code).toBe('IMAGE_FORMAT');
});
