import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
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
  readonly partials: string;
  readonly temporaries: string;
  readonly damaged: string;
  blob(digest: string): string;
  partial(digest: string, size: number): string;
}

/** The layout of a blob folder at `root`. */
export function blobFolder(root: string): BlobFolder {
  const partials = join(root, 'partial');
  return {
    root,
    partials,
    temporaries: join(root, 'temporary'),
    damaged: join(root, 'damaged'),
    blob: (digest) => join(root, 'blobs', digest.slice(0, 2), digest),
    partial: (digest, size) => join(partials, `${digest}.${size}`),
  };
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
