import { littleEndianBytes, readIntegers } from './bytes.ts';
import { WeightsError } from './error.ts';
import type { GridBits, GridVector } from './grid.ts';
import { checkLength, type Layout } from './layout.ts';

/** `CONW`, format version 1. */
const magic = Uint8Array.of(0x43, 0x4f, 0x4e, 0x57, 1);
const headerBytes = 8 + 4 + 4 + 32;

/** The exact size in bytes of a payload for `layout` at `bits`: known before a byte is fetched. */
export function payloadBytes(layout: Layout, bits: GridBits): number {
  return valuesOffset(layout) + layout.length * (bits / 8);
}

/**
 * Writes integers as bytes: magic and version (5), bits (1), zero (2), tensors (u32), values (u32), layout digest (32), one int8
 * exponent a tensor, zeros to a multiple of four, then the integers. All little-endian.
 *
 * @throws {WeightsError} `LAYOUT_MISMATCH` or `OUT_OF_RANGE` when the integers do not fit the layout or the width.
 */
export function encodePayload(update: GridVector): Uint8Array {
  const { layout, bits, exponents, values } = update;
  checkLength(layout, values);
  if (exponents.length !== layout.tensors.length) {
    throw new WeightsError(
      'LAYOUT_MISMATCH',
      `${exponents.length} exponents for ${layout.tensors.length} tensors`,
    );
  }
  const largest = 2 ** (bits - 1) - 1;
  if (values.some((value) => Math.abs(value) > largest)) {
    throw new WeightsError('OUT_OF_RANGE', `a value does not fit ${bits} bits`);
  }
  const bytes = new Uint8Array(payloadBytes(layout, bits));
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  bytes[5] = bits;
  view.setUint32(8, layout.tensors.length, true);
  view.setUint32(12, layout.length, true);
  bytes.set(Buffer.from(layout.digest, 'hex'), 16);
  bytes.set(littleEndianBytes(exponents), headerBytes);
  bytes.set(littleEndianBytes(narrowed(values, bits)), valuesOffset(layout));
  return bytes;
}

/**
 * Reads a payload that must be for `layout`. Bytes may come from anyone: the length is compared with what the layout
 * implies before anything is allocated, and every byte has one meaning (padding is zero, -2^(bits-1) is refused).
 *
 * @throws {WeightsError} `BAD_PAYLOAD` for any other bytes, `LAYOUT_MISMATCH` for another layout's payload.
 */
export function decodePayload(layout: Layout, bytes: Uint8Array): GridVector {
  if (bytes.length < headerBytes)
    throw new WeightsError('BAD_PAYLOAD', `${bytes.length} bytes are no payload`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!magic.every((byte, i) => bytes[i] === byte))
    throw new WeightsError('BAD_PAYLOAD', 'not a payload of version 1');
  const bits = bytes[5];
  if (bits !== 8 && bits !== 16 && bits !== 32)
    throw new WeightsError('BAD_PAYLOAD', `${bits} bits a value, must be 8, 16 or 32`);
  const digest = Buffer.from(bytes.subarray(16, 48)).toString('hex');
  if (
    digest !== layout.digest ||
    view.getUint32(8, true) !== layout.tensors.length ||
    view.getUint32(12, true) !== layout.length
  ) {
    throw new WeightsError('LAYOUT_MISMATCH', 'the payload is for another layout');
  }
  if (bytes.length !== payloadBytes(layout, bits)) {
    throw new WeightsError(
      'BAD_PAYLOAD',
      `${bytes.length} bytes, must be ${payloadBytes(layout, bits)}`,
    );
  }
  const padding = bytes.subarray(headerBytes + layout.tensors.length, valuesOffset(layout));
  if (bytes[6] !== 0 || bytes[7] !== 0 || padding.some((byte) => byte !== 0)) {
    throw new WeightsError('BAD_PAYLOAD', 'padding is not zero');
  }
  const exponents = Int8Array.from(readIntegers(bytes, headerBytes, layout.tensors.length, 8));
  const values = readIntegers(bytes, valuesOffset(layout), layout.length, bits);
  const forbidden = -(2 ** (bits - 1));
  if (values.includes(forbidden)) throw new WeightsError('BAD_PAYLOAD', `a value is ${forbidden}`);
  return { layout, bits, exponents, values };
}

function valuesOffset(layout: Layout): number {
  return Math.ceil((headerBytes + layout.tensors.length) / 4) * 4;
}

function narrowed(values: Int32Array, bits: GridBits): Int8Array | Int16Array | Int32Array {
  if (bits === 8) return Int8Array.from(values);
  if (bits === 16) return Int16Array.from(values);
  return values;
}
