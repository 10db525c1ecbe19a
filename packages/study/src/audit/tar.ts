import { StudyError } from '../error.ts';

/** Bytes of a tar block: a header is one, and content is padded to whole ones. */
export const blockBytes = 512;
/** Two blocks of zeros end an archive. */
export const endBytes: number = 2 * blockBytes;

/** A file of an archive: its name and size. */
export interface TarEntry {
  /** 1…100 visible ASCII characters. */
  readonly name: string;
  /** 0…{@link largestEntryBytes}. */
  readonly bytes: number;
}

/** What eleven octal digits hold. */
export const largestEntryBytes: number = 8 ** 11 - 1;

const namePattern = /^[\x21-\x7e]{1,100}$/;
const checksumOffset = 148;
const checksumBytes = 8;

/**
 * The one header that a file has here, whoever writes it: ustar, mode 0644, owner 0, time 0. So the archive's bytes follow from names and contents.
 * @throws {RangeError} for a name or a size that it cannot hold.
 * @see POSIX.1-2017, pax, "ustar Interchange Format"
 */
export function tarHeader({ name, bytes }: TarEntry): Uint8Array {
  if (!namePattern.test(name)) throw new RangeError('a name has 1…100 visible ASCII characters');
  if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes > largestEntryBytes) {
    throw new RangeError(`a file has 0…${largestEntryBytes} bytes, got ${bytes}`);
  }
  const header = Buffer.alloc(blockBytes);
  header.write(name, 0, 'latin1');
  header.write('0000644\0', 100, 'latin1');
  header.write('0000000\0', 108, 'latin1');
  header.write('0000000\0', 116, 'latin1');
  header.write(`${octal(bytes, 11)}\0`, 124, 'latin1');
  header.write(`${octal(0, 11)}\0`, 136, 'latin1');
  header.write(' '.repeat(checksumBytes), checksumOffset, 'latin1');
  header.write('0', 156, 'latin1');
  header.write('ustar\0', 257, 'latin1');
  header.write('00', 263, 'latin1');
  header.write(`${octal(sumOf(header), 6)}\0 `, checksumOffset, 'latin1');
  return new Uint8Array(header);
}

/**
 * Reads a header that {@link tarHeader} made; any other byte anywhere in it is refused.
 * @throws {StudyError} `BUNDLE_FORMAT`.
 */
export function parseTarHeader(header: Uint8Array): TarEntry {
  const text = Buffer.from(header.buffer, header.byteOffset, header.length).toString('latin1');
  const name = text.slice(0, 100).replace(/\0+$/, '');
  const size = /^[0-7]{11}$/.test(text.slice(124, 135)) ? text.slice(124, 135) : '';
  const entry = { name, bytes: Number.parseInt(size, 8) };
  if (size === '' || !namePattern.test(name) || !isSame(tarHeader(entry), header)) {
    throw new StudyError('BUNDLE_FORMAT', 'a header of the archive is not in its one form');
  }
  return entry;
}

/** Zeros that follow so many bytes of content. */
export function paddingBytes(bytes: number): number {
  return (blockBytes - (bytes % blockBytes)) % blockBytes;
}

/** Whether all bytes are zero. */
export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

function sumOf(header: Uint8Array): number {
  return header.reduce((sum, byte) => sum + byte, 0);
}
