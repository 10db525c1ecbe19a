import { open, rename } from 'node:fs/promises';
import {
  type AuditOptions,
  bundleBytes,
  openBundleFile,
  type PlannedBundle,
  type ResumePoint,
  resumePoint,
} from '@consilium/study/audit';
import { NodeError } from '../error.ts';
import { exists } from '../site-folder.ts';

/** Where a bundle lies while it is written. */
export function partialPath(path: string): string {
  return `${path}.partial`;
}

/** @throws {NodeError} `FILE_EXISTS` when something lies where a bundle is to be written. */
export async function checkFree(path: string): Promise<void> {
  if (!(await exists(path))) return;
  throw new NodeError(
    'FILE_EXISTS',
    `${path} is there already`,
    'name another file, or move that one away: a bundle is never overwritten',
  );
}

/**
 * Writes a bundle: under another name until all of it is on disk. What an interrupted writing of the same bundle left is gone on with, from behind the last file that is whole.
 * Returns how many bytes were there already.
 *
 * @throws the signal's reason: what was written so far stays.
 */
export async function writeBundle(
  path: string,
  bundle: PlannedBundle,
  { signal, onProgress }: AuditOptions = {},
): Promise<number> {
  const partial = partialPath(path);
  const from = (await exists(partial)) ? await pointIn(partial, bundle) : null;
  await using file = await open(partial, from === null ? 'w' : 'r+');
  let doneBytes = from?.offset ?? 0;
  await file.truncate(doneBytes);
  for await (const piece of bundleBytes(bundle, from)) {
    signal?.throwIfAborted();
    for (let done = 0; done < piece.length; ) {
      const { bytesWritten } = await file.write(piece, done, piece.length - done, doneBytes + done);
      done += bytesWritten;
    }
    doneBytes += piece.length;
    onProgress?.({ doneBytes, totalBytes: bundle.bytes });
  }
  await file.sync();
  await rename(partial, path);
  return from?.offset ?? 0;
}

async function pointIn(partial: string, bundle: PlannedBundle): Promise<ResumePoint | null> {
  await using bytes = await openBundleFile(partial);
  return await resumePoint(bundle, bytes);
}
