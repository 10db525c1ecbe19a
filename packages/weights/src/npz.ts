import { crc32 } from 'node:zlib';
import { littleEndianBytes } from './bytes.ts';
import { checkLength, type Layout } from './layout.ts';

/** One file inside an archive. */
interface Member {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The member of an archive that holds its metadata as a JSON object of strings; no tensor can have the name. */
const metadataName = 'metadata.json';

/**
 * Writes `vector` in NumPy's `.npz` format: a zip archive, stored and not compressed, with one float32 `.npy` member for each tensor in layout
 * order, and `metadata` as the JSON member `metadata.json`. `numpy.load` opens it without pickles and gives each tensor by its name.
 *
 * Equal arguments give equal bytes: every date is the first that a zip archive can have.
 *
 * @throws {WeightsError} `LAYOUT_MISMATCH` when the vector is not of the layout's length.
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html; PKWARE APPNOTE.TXT 6.3.10
 */
export function toNpz(
  layout: Layout,
  vector: Float32Array,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  checkLength(layout, vector);
  const tensors = layout.tensors.map(({ name, shape, offset, length }) => ({
    name: `${name}.npy`,
    bytes: concat([npyHeader(shape), littleEndianBytes(vector.subarray(offset, offset + length))]),
  }));
  const json = new TextEncoder().encode(JSON.stringify(metadata));
  return zip([...tensors, { name: metadataName, bytes: json }]);
}

/** The `.npy` header, format version 1.0, of little-endian float32 values of `shape` in C order; a multiple of 64 bytes. */
function npyHeader(shape: readonly number[]): Uint8Array {
  // A Python tuple: of one number it needs the comma.
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`;
  const fixedBytes = 10;
  const total = Math.ceil((fixedBytes + text.length + 1) / 64) * 64;
  const header = new Uint8Array(total).fill(0x20);
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  new DataView(header.buffer).setUint16(8, total - fixedBytes, true);
  header.set(new TextEncoder().encode(text), fixedBytes);
  header[total - 1] = 0x0a;
  return header;
}

// A layout's limits keep every number below the 32 bits, and the members below the 65,535, at which zip needs its 64-bit form.

/** An archive of stored members. */
function zip(members: readonly Member[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, bytes } of members) {
    const nameBytes = new TextEncoder().encode(name);
    const common = commonFields(bytes, nameBytes.length);
    const local = concat([integers([0x04034b50, 4]), common, integers([0, 2]), nameBytes]);
    // No comment, disk 0, no attributes.
    const place = integers([0, 2], [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]);
    directory.push(integers([0x02014b50, 4], [version, 2]), common, place, nameBytes);
    parts.push(local, bytes);
    offset += local.length + bytes.length;
  }
  const directoryBytes = directory.reduce((sum, { length }) => sum + length, 0);
  const end = integers(
    [0x06054b50, 4],
    [0, 2],
    [0, 2],
    [members.length, 2],
    [members.length, 2],
    [directoryBytes, 4],
    [offset, 4],
    [0, 2],
  );
  return concat([...parts, ...directory, end]);
}

/** Stored members need version 2.0. */
const version = 20;

/** What a member's two headers have in common: version, flags, method, time, date, checksum, both sizes, length of the name. */
function commonFields(bytes: Uint8Array, nameLength: number): Uint8Array {
  const stored = 0;
  const firstOfJanuary1980 = (1 << 5) | 1;
  return integers(
    [version, 2],
    [0, 2],
    [stored, 2],
    [0, 2],
    [firstOfJanuary1980, 2],
    [crc32(bytes), 4],
    [bytes.length, 4],
    [bytes.length, 4],
    [nameLength, 2],
  );
}

/** Unsigned little-endian integers, each of so many bytes. */
function integers(...fields: readonly (readonly [value: number, bytes: 2 | 4])[]): Uint8Array {
  const out = new DataView(new ArrayBuffer(fields.reduce((sum, [, bytes]) => sum + bytes, 0)));
  let at = 0;
  for (const [value, bytes] of fields) {
    if (bytes === 2) out.setUint16(at, value, true);
    else out.setUint32(at, value, true);
    at += bytes;
  }
  return new Uint8Array(out.buffer);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
