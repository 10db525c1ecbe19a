import { createHash } from 'node:crypto';
import { StudyError } from '../error.ts';
import {
  type BundleIndex,
  type IndexedFile,
  indexName,
  largestIndexBytes,
  parseIndex,
} from './bundle-index.ts';
import { blockBytes, endBytes, isZero, paddingBytes, parseTarHeader, tarHeader } from './tar.ts';

/** Bytes that can be read anywhere, such as a file. */
export interface BundleBytes {
  readonly size: number;
  /** Just `length` bytes from `offset`, which lie below `size`. The array is the caller's. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

interface PlacedFile extends IndexedFile {
  /** Where the content begins. */
  readonly offset: number;
}

/** An audit bundle that is open: every byte of it is either demanded by the format or has the hash that the index says when it is read. */
export class Bundle {
  readonly index: BundleIndex;
  readonly #bytes: BundleBytes;
  readonly #files: ReadonlyMap<string, PlacedFile>;
  readonly #unread: Set<string>;

  private constructor(bytes: BundleBytes, index: BundleIndex, files: readonly PlacedFile[]) {
    this.index = index;
    this.#bytes = bytes;
    this.#files = new Map(files.map((file) => [file.name, file]));
    this.#unread = new Set(this.#files.keys());
  }

  /**
   * Reads the index, and every header and all padding, which must be just what the index implies. No content is looked at.
   * @throws {StudyError} `BUNDLE_FORMAT`, `BUNDLE_DAMAGED`.
   */
  static async open(bytes: BundleBytes): Promise<Bundle> {
    const { index, end } = await readIndex(bytes);
    const files: PlacedFile[] = [];
    let at = end;
    for (const file of index.files) {
      await expectBytes(bytes, at, headerOf(file), `the header of ${file.name}`);
      const offset = at + blockBytes;
      const padding = paddingBytes(file.bytes);
      const zeros = await readAt(bytes, offset + file.bytes, padding);
      if (!isZero(zeros)) throw notCanonical(`the padding of ${file.name}`);
      files.push({ ...file, offset });
      at = offset + file.bytes + padding;
    }
    if (!isZero(await readAt(bytes, at, endBytes)) || bytes.size !== at + endBytes) {
      throw notCanonical('the end of the archive');
    }
    return new Bundle(bytes, index, files);
  }

  /** What the index says of a file; undefined where there is none of that name. */
  file(name: string): IndexedFile | undefined {
    return this.#files.get(name);
  }

  /** Files that lie in one folder, in their order. */
  filesIn(folder: string): IndexedFile[] {
    return this.index.files.filter(({ name }) => name.startsWith(`${folder}/`));
  }

  /**
   * The content of a file.
   * @throws {StudyError} `BUNDLE_DAMAGED` when it does not have its hash; `BUNDLE_FORMAT` when there is no such file.
   */
  async read(name: string): Promise<Uint8Array> {
    const file = this.#file(name);
    const content = await readAt(this.#bytes, file.offset, file.bytes);
    checkHash(file, createHash('sha256').update(content).digest('hex'));
    this.#unread.delete(name);
    return content;
  }

  /** Hashes a file whose content nobody needs, in pieces. @throws {StudyError} as {@link read}. */
  async check(name: string): Promise<void> {
    const file = this.#file(name);
    const hash = createHash('sha256');
    for (let done = 0; done < file.bytes; done += pieceBytes) {
      const length = Math.min(pieceBytes, file.bytes - done);
      hash.update(await readAt(this.#bytes, file.offset + done, length));
    }
    checkHash(file, hash.digest('hex'));
    this.#unread.delete(name);
  }

  /** Files that were neither read nor checked so far. */
  unread(): IndexedFile[] {
    return this.index.files.filter(({ name }) => this.#unread.has(name));
  }

  #file(name: string): PlacedFile {
    const file = this.#files.get(name);
    if (file === undefined) throw new StudyError('BUNDLE_FORMAT', `the bundle has no ${name}`);
    return file;
  }
}

const pieceBytes = 2 ** 20;

async function readIndex(bytes: BundleBytes): Promise<{ index: BundleIndex; end: number }> {
  const { name, bytes: length } = parseTarHeader(await readAt(bytes, 0, blockBytes));
  if (name !== indexName || length > largestIndexBytes) {
    throw new StudyError('BUNDLE_FORMAT', 'the archive does not begin with the index of a bundle');
  }
  const padding = paddingBytes(length);
  const content = await readAt(bytes, blockBytes, length + padding);
  if (!isZero(content.subarray(length))) throw notCanonical('the padding of the index');
  return { index: parseIndex(content.subarray(0, length)), end: blockBytes + length + padding };
}

function headerOf(file: IndexedFile): Uint8Array {
  try {
    return tarHeader(file);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new StudyError('BUNDLE_FORMAT', `the index: ${cause.message}`, { cause });
  }
}

async function expectBytes(
  bytes: BundleBytes,
  offset: number,
  wanted: Uint8Array,
  what: string,
): Promise<void> {
  const got = await readAt(bytes, offset, wanted.length);
  if (Buffer.compare(got, wanted) !== 0) throw notCanonical(what);
}

async function readAt(bytes: BundleBytes, offset: number, length: number): Promise<Uint8Array> {
  if (offset + length > bytes.size) {
    throw new StudyError('BUNDLE_DAMAGED', `the bundle ends at ${bytes.size} bytes, early`);
  }
  return length === 0 ? new Uint8Array(0) : bytes.read(offset, length);
}

function checkHash({ name, offset, sha256 }: PlacedFile, got: string): void {
  if (got === sha256) return;
  const message = `${name}, at byte ${offset}, has another SHA-256 than the index says`;
  throw new StudyError('BUNDLE_DAMAGED', message);
}

function notCanonical(what: string): StudyError {
  return new StudyError('BUNDLE_FORMAT', `${what} is not in its one form`);
}
