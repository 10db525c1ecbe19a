import {
  type BlobStore,
  LogError,
  type LogStore,
  type NoteStore,
  openBlobStore,
  openLogStore,
  openNoteStore,
  openWitnessStore,
  type WitnessStore,
} from '@consilium/log';
import { logPlaceOf } from '@consilium/records';
import { Level } from 'level';
import { NodeError } from './error.ts';
import type { SiteFolder } from './site-folder.ts';

/** A site's stores, open. */
export interface Stores extends AsyncDisposable {
  readonly log: LogStore;
  readonly blobs: BlobStore;
  /** Checkpoints of all logs. */
  readonly notes: NoteStore;
  /** What this site has cosigned. */
  readonly witness: WitnessStore;
}

/**
 * Opens a site's stores; one process at a time.
 * @throws {NodeError} `FOLDER_IN_USE` when another process has them.
 * @throws {LogError} `DISK_FULL` or `STORE` when the disk fails.
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
    throw notOpened(folder, cause);
  }
  try {
    const log = await openLogStore(level.sublevel('log'), logPlaceOf);
    const blobs = await openBlobStore(folder.blobs);
    return {
      log,
      blobs,
      notes: openNoteStore(level.sublevel('watch')),
      witness: openWitnessStore(level.sublevel('watch')),
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

/** LevelDB tells a full disk only in the text of its IO error. */
function notOpened({ store }: SiteFolder, cause: unknown): LogError {
  const isFull = /No space left on device|Disk quota exceeded/.test(reasons(cause));
  return isFull
    ? new LogError('DISK_FULL', `cannot open ${store}: the disk is full`, { cause })
    : new LogError('STORE', `cannot open ${store}: ${reasons(cause)}`, { cause });
}

function reasons(error: unknown): string {
  if (!(error instanceof Error)) return '';
  return error.cause === undefined ? error.message : `${error.message}: ${reasons(error.cause)}`;
}

function isLocked(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && error.code === 'LEVEL_LOCKED') return true;
  return isLocked(error.cause);
}
