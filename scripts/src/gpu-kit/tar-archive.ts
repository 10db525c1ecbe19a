import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';

/** One file of an archive. */
export interface PackedFile {
  /** Relative, with slashes. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

const block = 512;
/** Files say that they are from the first second of 2026 (UTC): the same files make the same bytes whenever they are packed. */
const mtimeSeconds = 1_767_225_600;

/**
 * The files as a tar archive, sorted by path, owned by nobody in particular.
 *
 * @throws {RangeError} when a path has no place in a header (255 bytes, of which the name behind some slash at most 100).
 * @see POSIX.1-1988, ustar interchange format
 */
export function tarArchive(files: readonly PackedFile[]): Buffer {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const parts = sorted.flatMap(({ path, bytes, executable }) => [
    header(path, bytes.length, executable),
    bytes,
    new Uint8Array(-bytes.length & (block - 1)),
  ]);
  return Buffer.concat([...parts, new Uint8Array(2 * block)]);
}

/**
 * `bytes` compressed so that gzip, and so every tar, reads it: pieces of 16 MiB, each a gzip member of its own, which is
 * what lets all cores work on it. The same bytes give the same result with the same zlib.
 *
 * @see RFC 1952, section 2.2: members simply follow one another
 */
export async function gzipInPieces(bytes: Buffer): Promise<Buffer> {
  const piece = 2 ** 24;
  const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, i) =>
    promisify(gzip)(bytes.subarray(i * piece, (i + 1) * piece), {
      level: constants.Z_BEST_COMPRESSION,
      memLevel: constants.Z_MAX_MEMLEVEL,
    }),
  );
  return Buffer.concat(await Promise.all(pieces));
}

function header(path: string, size: number, executable: boolean): Buffer {
  const { prefix, name } = splitPath(path);
  const bytes = Buffer.alloc(block);
  const octal = (value: number, at: number, digits: number): void => {
    bytes.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  };
  bytes.write(name, 0);
  octal(executable ? 0o755 : 0o644, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(size, 124, 11);
  octal(mtimeSeconds, 136, 11);
  bytes.write('        ', 148); // the checksum counts as spaces in itself
  bytes.write('0', 156);
  bytes.write('ustar\u000000', 257, 'latin1');
  bytes.write(prefix, 345);
  octal(
    bytes.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  bytes.write('\u0000 ', 154, 'latin1');
  return bytes;
}

function splitPath(path: string): { prefix: string; name: string } {
  if (Buffer.byteLength(path) <= 100) return { prefix: '', name: path };
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return { prefix, name };
  }
  throw new RangeError(`the path ${path} is too long for a tar archive`);
}
