const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** The array's bytes with each element little-endian: a view where the machine is so, a swapped copy elsewhere. */
export function littleEndianBytes(
  array: Int8Array | Int16Array | Int32Array | Float32Array,
): Uint8Array {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return hostIsLittleEndian ? bytes : swapped(bytes, array.BYTES_PER_ELEMENT);
}

/** Reads `count` little-endian integers of `bits` width from `offset`, on any machine. The result holds no memory of `bytes`. */
export function readIntegers(
  bytes: Uint8Array,
  offset: number,
  count: number,
  bits: 8 | 16 | 32,
): Int32Array {
  const width = bits / 8;
  const part = bytes.subarray(offset, offset + count * width);
  const { buffer, byteOffset } = ordered(part, width);
  // Not `Int32Array.from`, which goes through an iterator: twenty times slower.
  if (bits === 8) return new Int32Array(new Int8Array(buffer, byteOffset, count));
  if (bits === 16) return new Int32Array(new Int16Array(buffer, byteOffset, count));
  return new Int32Array(new Int32Array(buffer, byteOffset, count));
}

/** The bytes as the machine orders them, beginning at a multiple of their width: as they are where they already do, a copy elsewhere. */
function ordered(bytes: Uint8Array, width: number): Uint8Array {
  if (!hostIsLittleEndian) return swapped(bytes, width);
  // Not `slice`: a Buffer's shares memory.
  return bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
}

function swapped(bytes: Uint8Array, width: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(bytes.length);
  for (let at = 0; at < bytes.length; at += width) {
    for (let k = 0; k < width; k++) out[at + k] = bytes[at + width - 1 - k] as number;
  }
  return out;
}
