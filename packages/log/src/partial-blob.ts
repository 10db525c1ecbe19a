import { constants, open, rm } from 'node:fs/promises';
import { type BlobFolder, digestOfFile, fileSize } from './blob-folder.ts';
import { writeAll } from './durable-file.ts';
import { LogError, storageError } from './error.ts';
import { createTurns } from './turns.ts';

/**
 * A blob that is being fetched, from its first byte on. Calls happen one after the other. No file stays open between
 * them: to pause is to stop calling.
 */
export interface PartialBlob {
  /** Bytes that are here, from the first on. They survive a restart of the process. */
  readonly received: number;
  /** Adds the bytes that come next. @throws {LogError} `BLOB_SIZE` (more than promised; nothing is added), `DISK_FULL`, `STORE`. */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Makes the blob available, durably. Harmless when it already is.
   *
   * @throws {LogError} `BLOB_SIZE` while bytes are missing; `BLOB_DIGEST` when they are not the blob's, and then all of them are dropped; `DISK_FULL`, `STORE`.
   */
  commit(): Promise<void>;
  /** Drops what was received. Harmless when nothing is there. */
  discard(): Promise<void>;
}

interface PartialHooks {
  /** Moves a whole file to where the blob belongs, durably. */
  readonly place: (file: string, digest: string) => Promise<void>;
  /** Called when the blob was committed or dropped. */
  readonly ended: () => void;
}

/** Opens a partial blob on its file, which may hold a prefix from before. */
export async function openPartial(
  folder: BlobFolder,
  digest: string,
  size: number,
  { place, ended }: PartialHooks,
): Promise<PartialBlob> {
  const path = folder.partial(digest, size);
  let received = (await fileSize(path)) ?? 0;
  let committed = false;
  const turns = createTurns();
  if (received > size) {
    await rm(path);
    received = 0;
  }

  async function inTurn(doing: string, work: () => Promise<void>): Promise<void> {
    try {
      await turns(path, work);
    } catch (cause) {
      throw storageError(doing, cause);
    }
  }

  async function write(bytes: Uint8Array): Promise<void> {
    if (committed || received + bytes.length > size) {
      throw new LogError('BLOB_SIZE', `blob ${digest} has no more than ${size} bytes`);
    }
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      await writeAll(file, bytes, received);
      received += bytes.length;
    } catch (cause) {
      await file.truncate(received); // what counts as received is what was written whole
      throw cause;
    } finally {
      await file.close();
    }
  }

  async function commit(): Promise<void> {
    if (committed) return;
    if (received < size) {
      throw new LogError('BLOB_SIZE', `blob ${digest} has ${size} bytes, ${received} are here`);
    }
    if (size === 0) await write(new Uint8Array(0));
    await sync(path);
    if ((await digestOfFile(path)) !== digest) {
      await discard();
      throw new LogError('BLOB_DIGEST', `the bytes received are not blob ${digest}`);
    }
    await place(path, digest);
    committed = true;
    ended();
  }

  async function discard(): Promise<void> {
    if (committed) return;
    await rm(path, { force: true });
    received = 0;
    ended();
  }

  return {
    get received() {
      return received;
    },
    write: (bytes) => inTurn('write a blob', () => write(bytes)),
    commit: () => inTurn('commit a blob', commit),
    discard: () => inTurn('discard a blob', discard),
  };
}

/** What a fetch gets for a blob that is already here. */
export function completePartial(digest: string, size: number): PartialBlob {
  return {
    received: size,
    async write(bytes) {
      if (bytes.length > 0) throw new LogError('BLOB_SIZE', `blob ${digest} is complete`);
    },
    async commit() {},
    async discard() {},
  };
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
