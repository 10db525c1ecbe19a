import { loadKey } from '@consilium/records';
import { askNode } from './ask-node.ts';
import { readJoined } from './founding.ts';
import type { SiteFolder } from './site-folder.ts';
import { openStores } from './stores.ts';
import { type Status, stateOnDisk, statusOf } from './views.ts';
import { notesOnDisk } from './witnessing/witnessing-now.ts';

/** A site's status: the running node's own word, or what its disk says while none runs. */
export async function statusNow(
  folder: SiteFolder,
): Promise<{ status: Status; isRunning: boolean }> {
  const answer = await askNode(folder, '/status');
  return answer === null
    ? { status: await statusOnDisk(folder), isRunning: false }
    : { status: JSON.parse(new TextDecoder().decode(answer)), isRunning: true };
}

async function statusOnDisk(folder: SiteFolder): Promise<Status> {
  const founding = await readJoined(folder);
  const { id } = await loadKey(folder.key);
  await using stores = await openStores(folder);
  const initial = Buffer.from(founding.manifest.initialWeights.digest).toString('hex');
  const state = (await stores.blobs.has(initial))
    ? await stateOnDisk(founding, stores.log, stores.blobs)
    : null;
  const notes = await notesOnDisk(founding, stores);
  return statusOf(id, founding, state, null, () => null, notes.view());
}
