import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLayout } from './layout.ts';
import { decodePayload, encodePayload, payloadBytes } from './payload.ts';

const layout = createLayout([
  { name: 'a', shape: [2, 2] },
  { name: 'b', shape: [3] },
]);
const sample = {
  layout,
  bits: 16,
  exponents: Int8Array.of(-20, -3),
  values: Int32Array.of(1, -1, 32767, -32767, 0, 258, -2),
} as const;

test('reads back what was written, at every width and from any offset of a buffer', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<8 | 16 | 32>(8, 16, 32),
      fc.array(fc.integer({ min: -127, max: 127 }), { minLength: 7, maxLength: 7 }),
      fc.nat(3),
      (bits, values, shift) => {
        const update = { ...sample, bits, values: Int32Array.from(values) };
        const bytes = encodePayload(update);
        expect(bytes.length).toBe(payloadBytes(layout, bits));
        const shifted = new Uint8Array(bytes.length + shift);
        shifted.set(bytes, shift);
        expect(decodePayload(layout, shifted.subarray(shift))).toEqual(update);
      },
    ),
  );
});

test('reads a Buffer that shares its memory with others', () => {
  const pooled = Buffer.from([...new Uint8Array(5), ...encodePayload(sample)]).subarray(5);
  expect(decodePayload(layout, pooled)).toEqual(sample);
});

test.each([8, 16, 32] as const)('keeps nothing of the bytes it read, at %i bits', (bits) => {
  const values = Int32Array.of(1, -1, 127, -127, 0, 58, -2);
  const bytes = encodePayload({ ...sample, bits, values });
  const decoded = decodePayload(layout, bytes);
  bytes.fill(0);
  expect(decoded.values).toEqual(values);
  expect(decoded.exponents).toEqual(sample.exponents);
});

test('is pinned byte for byte', () => {
  const hex = Buffer.from(encodePayload(sample)).toString('hex');
  expect(hex.slice(0, 32)).toBe('434f4e57011000000200000007000000');
  expect(hex.slice(32, 96)).toBe(layout.digest);
  expect(hex.slice(96)).toBe('ecfd0000' + '0100ffffff7f01800000' + '0201' + 'feff');
});

test.each([
  ['nothing', new Uint8Array(0), 'BAD_PAYLOAD'],
  ['a byte too few', encodePayload(sample).subarray(0, -1), 'BAD_PAYLOAD'],
  ['a byte too many', Uint8Array.of(...encodePayload(sample), 0), 'BAD_PAYLOAD'],
  ['another version', changed(4, 2), 'BAD_PAYLOAD'],
  ['twelve bits', changed(5, 12), 'BAD_PAYLOAD'],
  ['reserved bytes in use', changed(6, 1), 'BAD_PAYLOAD'],
  ['a layout digest of another network', changed(20, 0xaa), 'LAYOUT_MISMATCH'],
  ['another number of values', changed(12, 8), 'LAYOUT_MISMATCH'],
  ['padding in use', changed(50, 1), 'BAD_PAYLOAD'],
  ['the integer that has no opposite', changed(53, 0x80, 52, 0x00), 'BAD_PAYLOAD'],
])('refuses %s', (_, bytes, code) => {
  expect(() => decodePayload(layout, bytes)).toThrow(expect.objectContaining({ code }));
});

test('never crashes on mutated bytes: a decoded payload or a WeightsError, and re-encoding gives the same bytes', () => {
  const good = encodePayload(sample);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (edits) => {
        const bytes = good.slice();
        for (const [at, value] of edits) bytes[at] = value;
        try {
          expect(encodePayload(decodePayload(layout, bytes))).toEqual(bytes);
        } catch (error) {
          expect(error).toMatchObject({ name: 'WeightsError' });
        }
      },
    ),
    { numRuns: 2000, seed: 11 },
  );
});

test('refuses to write integers that do not fit the width', () => {
  expect(() => encodePayload({ ...sample, bits: 8 })).toThrow(
    expect.objectContaining({ code: 'OUT_OF_RANGE' }),
  );
});

function changed(...edits: number[]): Uint8Array {
  const bytes = encodePayload(sample).slice();
  for (let i = 0; i < edits.length; i += 2) bytes[edits[i] as number] = edits[i + 1] as number;
  return bytes;
}
