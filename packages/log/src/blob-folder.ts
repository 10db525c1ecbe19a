import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { syncFolder } from './durable-file.ts';
import { LogError } from './error.ts';

/**
 * Where things lie in a blob folder:
 *
 * - `blobs/ab/abcd…` whole blobs, by SHA-256 in hexadecimal
 * - `partial/abcd….<size>` the first bytes of a blob of `size` bytes that is being fetched
 * - `damaged/abcd…` files whose content no longer had their name's digest
 * - `temporary/` files being written; emptied at open
 */
export interface BlobFolder {
  readonly root: string;
  readonly blobs: string;
  readonly partials: string;
  readonly temporaries: string;
  readonly damaged: string;
  blob(digest: string): string;
  partial(digest: string, size: number): string;
}

/** The layout of a blob folder at `root`. */
export function blobFolder(root: string): BlobFolder {
  const blobs = join(root, 'blobs');
  const partials = join(root, 'partial');
  return {
    root,
    blobs,
    partials,
    temporaries: join(root, 'temporary'),
    damaged: join(root, 'damaged'),
    blob: (digest) => join(blobs, digest.slice(0, 2), digest),
    partial: (digest, size) => join(partials, `${digest}.${size}`),
  };
}

/** Makes the folders at the top of a blob folder, durably, and empties the temporary one. */
export async function makeBlobFolder(folder: BlobFolder): Promise<void> {
  await rm(folder.temporaries, { recursive: true, force: true });
  for (const path of [folder.blobs, folder.temporaries, folder.partials, folder.damaged]) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  }
  for (const path of [folder.root, dirname(folder.root)]) await syncFolder(path);
}

/**
 * A function that makes the fan-out folder of a digest, durably, on its first use. Whoever comes while it is being
 * made waits: a blob is not safe before the folder's own name is on disk.
 */
export function fanOut(folder: BlobFolder): (digest: string) => Promise<void> {
  const made = new Map<string, Promise<void>>();
  return async (digest) => {
    const path = dirname(folder.blob(digest));
    const making = made.get(path) ?? make(path);
    made.set(path, making);
    try {
      await making;
    } catch (error) {
      made.delete(path); // to be tried again, as when the disk was full
      throw error;
    }
  };

  async function make(path: string): Promise<void> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await syncFolder(folder.blobs);
  }
}

/** SHA-256 in lower-case hexadecimal. */
export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** SHA-256 of a file's content, in hexadecimal, without holding it in memory. */
export async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/** Refuses a text that is no digest: it may come from a peer, and becomes part of a path. @throws {LogError} `DIGEST_FORMAT`. */
export function checkDigest(digest: string): void {
  if (!/^[0-9a-f]{64}$/.test(digest)) {
    throw new LogError('DIGEST_FORMAT', 'wanted a SHA-256 digest of 64 hexadecimal digits');
  }
}

/** Size of the file at `path` in bytes; `undefined` when there is none. */
export async function fileSize(path: string): Promise<number | undefined> {
  return await unlessMissing(async () => (await stat(path)).size);
}

/** What `work` gives; `undefined` when the file it needs does not exist. */
export async function unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
