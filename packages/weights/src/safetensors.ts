import { littleEndianBytes } from './bytes.ts';
import { checkLength, type Layout } from './layout.ts';

/**
 * Writes `vector` in the safetensors format: an 8-byte little-endian header length, a JSON header padded with spaces to a
 * multiple of eight, then the float32 values in layout order. `metadata` holds strings only, as the format demands.
 *
 * @throws {WeightsError} `LAYOUT_MISMATCH` when the vector is not of the layout's length.
 * @see https://github.com/huggingface/safetensors#format
 */
export function toSafetensors(
  layout: Layout,
  vector: Float32Array,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  checkLength(layout, vector);
  const header: Record<string, unknown> = { __metadata__: metadata };
  for (const { name, shape, offset, length } of layout.tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset * 4, (offset + length) * 4] };
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerLength = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerLength + vector.byteLength).fill(
    0x20,
    8 + json.length,
    8 + headerLength,
  );
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.set(json, 8);
  bytes.set(littleEndianBytes(vector), 8 + headerLength);
  return bytes;
}
