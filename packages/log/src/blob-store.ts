import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type BlobFolder,
  blobFolder,
  checkDigest,
  digestOf,
  digestOfFile,
  fanOut,
  fileSize,
  makeBlobFolder,
  unlessMissing,
} from './blob-folder.ts';
import { moveDurably, writeSynced } from './durable-file.ts';
import { storageError } from './error.ts';
import { completePartial, openPartial, type PartialBlob } from './partial-blob.ts';
import { createTurns } from './turns.ts';

/**
 * Byte strings by their SHA-256 (64 lower-case hexadecimal digits), as files. What it gives out has its digest.
 * Every method rejects with `LogError` `DIGEST_FORMAT` for a malformed digest, and `DISK_FULL` or `STORE` when the disk fails.
 */
export interface BlobStore {
  /** Whether a whole blob is here. */
  has(digest: string): Promise<boolean>;
  /** Its size in bytes; `undefined` when it is not here. */
  size(digest: string): Promise<number | undefined>;
  /** The whole blob, hashed again. A file that was damaged is put aside: the blob is then not here. */
  get(digest: string): Promise<Uint8Array | undefined>;
  /**
   * Up to `length` bytes from `offset`: fewer at the end, none beyond it. The file is hashed before its first range is given out, and
   * again whenever it changed.
   *
   * @throws {RangeError} for a negative or fractional number.
   */
  readRange(digest: string, offset: number, length: number): Promise<Uint8Array | undefined>;
  /** Stores a blob and returns its digest; when the promise resolves, the blob survives a power cut. */
  put(bytes: Uint8Array): Promise<string>;
  /**
   * Starts or resumes fetching a blob of `size` bytes. While it is unfinished, the same object comes back for the same digest and size.
   *
   * @throws {RangeError} for a negative or fractional size.
   */
  partial(digest: string, size: number): Promise<PartialBlob>;
}

/** How many verified files are remembered for {@link BlobStore.readRange}. */
const MAX_VERIFIED = 4096;

/**
 * Opens the blobs in `folder`, which is made if needed. One store at a time may have a folder open.
 *
 * @throws {LogError} `DISK_FULL`, `STORE`.
 */
export async function openBlobStore(folder: string): Promise<BlobStore> {
  const layout = blobFolder(folder);
  try {
    await makeBlobFolder(layout);
  } catch (cause) {
    throw storageError(`open the blob folder ${folder}`, cause);
  }
  return blobStore(layout);
}

interface VerifiedFile {
  readonly state: string;
  readonly sound: Promise<boolean>;
}

function blobStore(folder: BlobFolder): BlobStore {
  const partials = new Map<string, Promise<PartialBlob>>();
  const verified = new Map<string, VerifiedFile>();
  const inTurn = createTurns();
  const makeFanOut = fanOut(folder);
  let temporaries = 0;

  async function get(digest: string): Promise<Uint8Array | undefined> {
    return (
      (await readSound(digest)) ?? ((await mend(digest)) ? await readSound(digest) : undefined)
    );
  }

  async function readSound(digest: string): Promise<Uint8Array | undefined> {
    const bytes = await unlessMissing(() => readFile(folder.blob(digest)));
    if (bytes === undefined || digestOf(bytes) !== digest) return undefined;
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Puts a damaged file aside. In turn with `place`: the file may have been replaced by a good one meanwhile. Whether one is there. */
  async function mend(digest: string): Promise<boolean> {
    return await inTurn(digest, async () => {
      const found = await unlessMissing(() => digestOfFile(folder.blob(digest)));
      if (found === undefined || found === digest) return found !== undefined;
      await rename(folder.blob(digest), join(folder.damaged, digest));
      return false;
    });
  }

  /** Moves a file whose content is on disk and has the digest to where the blob belongs. */
  async function place(file: string, digest: string): Promise<void> {
    await makeFanOut(digest);
    await inTurn(digest, () => moveDurably(file, folder.blob(digest)));
  }

  /** Whether the file is there with its digest; hashed once for each state of the file. */
  async function isSound(digest: string): Promise<boolean> {
    const state = await fileState(folder.blob(digest));
    if (state === undefined) return false;
    const known = verified.get(digest);
    if (known?.state === state) return await known.sound;
    const sound = mend(digest);
    remember(digest, { state, sound });
    return await sound;
  }

  function remember(digest: string, check: VerifiedFile): void {
    verified.delete(digest);
    verified.set(digest, check);
    const [oldest] = verified.keys();
    if (verified.size > MAX_VERIFIED && oldest !== undefined) verified.delete(oldest);
    check.sound.catch(() => verified.delete(digest)); // the disk failed: the next reader tries again
  }

  async function put(bytes: Uint8Array): Promise<string> {
    const digest = digestOf(bytes);
    if ((await get(digest)) !== undefined) return digest;
    temporaries += 1;
    const temporary = join(folder.temporaries, `${temporaries}`);
    await writeSynced(temporary, bytes);
    try {
      await place(temporary, digest);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    return digest;
  }

  async function readRange(
    digest: string,
    offset: number,
    length: number,
  ): Promise<Uint8Array | undefined> {
    if (!(await isSound(digest))) return undefined;
    return await unlessMissing(() => readAt(folder.blob(digest), offset, length));
  }

  async function partial(digest: string, size: number): Promise<PartialBlob> {
    if ((await fileSize(folder.blob(digest))) === size && (await isSound(digest))) {
      return completePartial(digest, size);
    }
    const key = `${digest}.${size}`;
    const running = partials.get(key);
    if (running !== undefined) return await running;
    const opened = openPartial(folder, digest, size, {
      place,
      ended: () => partials.delete(key),
    });
    partials.set(key, opened);
    opened.catch(() => partials.delete(key));
    return await opened;
  }

  return {
    has: (digest) =>
      named(
        'look for a blob',
        digest,
        async () => (await fileSize(folder.blob(digest))) !== undefined,
      ),
    size: (digest) => named('look for a blob', digest, () => fileSize(folder.blob(digest))),
    get: (digest) => named('read a blob', digest, () => get(digest)),
    put: (bytes) => translated('store a blob', () => put(bytes)),
    async readRange(digest, offset, length) {
      checkNatural(offset);
      checkNatural(length);
      return await named('read a blob', digest, () => readRange(digest, offset, length));
    },
    async partial(digest, size) {
      checkNatural(size);
      return await named('fetch a blob', digest, () => partial(digest, size));
    },
  };
}

/** Tells two states of a file apart, as `make` does. */
async function fileState(path: string): Promise<string | undefined> {
  const state = await unlessMissing(() => stat(path, { bigint: true }));
  return state && `${state.ino} ${state.size} ${state.mtimeNs}`;
}

async function readAt(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await file.read(bytes, done, bytes.length - done, offset + done);
      if (bytesRead === 0) return bytes.slice(0, done);
      done += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

async function named<T>(doing: string, digest: string, work: () => Promise<T>): Promise<T> {
  checkDigest(digest);
  return await translated(doing, work);
}

async function translated<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw storageError(doing, cause);
  }
}

function checkNatural(n: number): void {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`wanted an integer ≥ 0, got ${n}`);
}
