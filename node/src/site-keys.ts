import { rename } from 'node:fs/promises';
import { loadKey, type SiteKey } from '@consilium/records';
import { exists, type SiteFolder } from './site-folder.ts';

/** The keys of a site that is handing on from one to the next; otherwise there is just the latest. */
export interface SiteKeys {
  readonly latest: SiteKey;
  /** The key before, as long as members may not know the latest. */
  readonly earlier: SiteKey | null;
  /** Whether no member has let the latest in yet. */
  readonly isUnconfirmed: boolean;
}

/** @throws {RecordError} `KEY_FILE_MISSING`, `KEY_FILE_MODE`, `KEY_FILE_CONTENT`. */
export async function loadSiteKeys(folder: SiteFolder): Promise<SiteKeys> {
  const isUnconfirmed = await exists(folder.nextKey);
  // A crash in the middle of `confirmLatest`.
  if (isUnconfirmed && !(await exists(folder.key))) await rename(folder.nextKey, folder.key);
  else if (isUnconfirmed) {
    const [latest, earlier] = [await loadKey(folder.nextKey), await loadKey(folder.key)];
    return { latest, earlier, isUnconfirmed };
  }
  const earlier = (await exists(folder.oldKey)) ? await loadKey(folder.oldKey) : null;
  return { latest: await loadKey(folder.key), earlier, isUnconfirmed: false };
}

/** Makes the latest key the site's own, and puts the one before aside. */
export async function confirmLatest(folder: SiteFolder): Promise<void> {
  await rename(folder.key, folder.oldKey);
  await rename(folder.nextKey, folder.key);
}
