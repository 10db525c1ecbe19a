/**
 * Where things lie in the log's sublevel; keys are text, values bytes.
 *
 * | key | value |
 * |---|---|
 * | `e/<author>/<index>` | an entry of the author's chain; index in eight hexadecimal digits |
 * | `a/<author>/<index>` | an entry that was cut off the chain at open, and may yet rejoin it |
 * | `h/<author>` | size and root of the author's chain when it was longest, see {@link encodeHead} |
 * | `f/<author>` | two entries with one index, see {@link encodePair} |
 */
export type KeySpace = 'a' | 'e' | 'f' | 'h';

/** Key of an entry in the chain (`e`) or aside (`a`). Keys of one author sort by index. */
export function entryKey(space: 'a' | 'e', author: string, index: number): string {
  return `${space}/${author}/${index.toString(16).padStart(8, '0')}`;
}

/** Author and index of a key that {@link entryKey} made; `undefined` for any other. */
export function parseEntryKey(key: string): { author: string; index: number } | undefined {
  const [, author, hex] = /^[ae]\/([^/]+)\/([0-9a-f]{8})$/.exec(key) ?? [];
  if (author === undefined || hex === undefined) return undefined;
  return { author, index: Number.parseInt(hex, 16) };
}

/** Key of an author's head (`h`) or fork proof (`f`). */
export function authorKey(space: 'f' | 'h', author: string): string {
  return `${space}/${author}`;
}

/** All entry keys of one author. */
export function authorRange(space: 'a' | 'e', author: string): { gte: string; lt: string } {
  return { gte: `${space}/${author}/`, lt: `${space}/${author}0` };
}

/** All keys of a space. */
export function spaceRange(space: KeySpace): { gte: string; lt: string } {
  return { gte: `${space}/`, lt: `${space}0` }; // '0' follows '/'
}

/** The size that a log once had, and its root where it is known. */
export interface HeadMark {
  readonly size: number;
  readonly root: Uint8Array | null;
}

/** A head: size as 8 bytes big-endian, then the root's 32 if it is known. */
export function encodeHead({ size, root }: HeadMark): Uint8Array {
  const bytes = new Uint8Array(root === null ? 8 : 40);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(size));
  if (root !== null) bytes.set(root, 8);
  return bytes;
}

/** Reads {@link encodeHead}; `undefined` for damaged bytes. */
export function decodeHead(bytes: Uint8Array): HeadMark | undefined {
  if (bytes.length !== 8 && bytes.length !== 40) return undefined;
  const size = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
  if (size > 2n ** 32n) return undefined;
  return { size: Number(size), root: bytes.length === 40 ? bytes.slice(8) : null };
}

/** A fork proof: length of the first entry as 4 bytes big-endian, the first entry, the second. */
export function encodePair(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + first.length + second.length);
  new DataView(bytes.buffer).setUint32(0, first.length);
  bytes.set(first, 4);
  bytes.set(second, 4 + first.length);
  return bytes;
}

/** Reads {@link encodePair}; `undefined` for damaged bytes. */
export function decodePair(bytes: Uint8Array): [Uint8Array, Uint8Array] | undefined {
  if (bytes.length < 4) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  if (4 + length > bytes.length) return undefined;
  return [bytes.slice(4, 4 + length), bytes.slice(4 + length)];
}
