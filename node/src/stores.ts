import { type BlobStore, type LogStore, openBlobStore, openLogStore } from '@consilium/log';
import { logPlaceOf } from '@consilium/records';
import { Level } from 'level';
import { NodeError } from './error.ts';
import type { SiteFolder } from './site-folder.ts';

/** A site's two stores, open. */
export interface Stores extends AsyncDisposable {
  readonly log: LogStore;
  readonly blobs: BlobStore;
}

/**
 * Opens a site's stores; one process at a time.
 * @throws {NodeError} `FOLDER_IN_USE` when another process has them.
 * @throws {LogError} when the disk fails.
 */
export async function openStores(folder: SiteFolder): Promise<Stores> {
  const level = new Level<string, Uint8Array>(folder.store, { valueEncoding: 'view' });
  try {
    await level.open();
  } catch (cause) {
    if (isLocked(cause)) {
      throw new NodeError(
        'FOLDER_IN_USE',
        `another process has ${folder.root} open`,
        'stop the node that runs there, or ask it: `consilium status`',
        { cause },
      );
    }
    throw cause;
  }
  try {
    const log = await openLogStore(level.sublevel('log'), logPlaceOf);
    const blobs = await openBlobStore(folder.blobs);
    return {
      log,
      blobs,
      async [Symbol.asyncDispose]() {
        await log.close();
        await level.close();
      },
    };
  } catch (error) {
    await level.close();
    throw error;
  }
}

function isLocked(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && error.code === 'LEVEL_LOCKED') return true;
  return isLocked(error.cause);
}
