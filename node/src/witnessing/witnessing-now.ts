import type { SiteId } from '@consilium/records';
import { askNode } from '../ask-node.ts';
import { type FoundingRecord, readJoined } from '../founding.ts';
import { RecordIntake } from '../record-intake.ts';
import type { SiteFolder } from '../site-folder.ts';
import { openStores, type Stores } from '../stores.ts';
import { LogEvidence } from './log-evidence.ts';
import { type Notes, openNotes } from './open-notes.ts';
import type { WitnessingView } from './witnessing-view.ts';

/** Whatever is wrong on disk, the running node says it; tools only read. */
const silent = { error: () => undefined, warn: () => undefined };

/** The notes of a site whose stores are open, while no node runs. @throws {LogError} `STORE`. */
export async function notesOnDisk(founding: FoundingRecord, stores: Stores): Promise<Notes> {
  const { verified, manifest } = founding;
  const intake = new RecordIntake(stores.log, verified.id);
  intake.fold.add(verified);
  await intake.take();
  return openNotes({
    study: verified.id,
    manifest,
    roster: () => intake.roster,
    log: stores.log,
    notes: stores.notes,
    logger: silent,
  });
}

/** How far every log is witnessed: the running node's own word, or what the disk says while none runs. */
export async function witnessingNow(folder: SiteFolder): Promise<WitnessingView> {
  const answer = await askNode(folder, '/witnesses');
  if (answer !== null) return JSON.parse(new TextDecoder().decode(answer));
  const founding = await readJoined(folder);
  await using stores = await openStores(folder);
  return (await notesOnDisk(founding, stores)).view();
}

/** What the running node answers to `path`, or else what the disk gives. */
export async function evidenceNow(
  folder: SiteFolder,
  path: string,
  onDisk: (evidence: LogEvidence) => Promise<Uint8Array> | Uint8Array,
): Promise<Uint8Array> {
  const answer = await askNode(folder, path);
  if (answer !== null) return answer;
  const founding = await readJoined(folder);
  await using stores = await openStores(folder);
  const notes = await notesOnDisk(founding, stores);
  return onDisk(new LogEvidence({ ...notes, study: founding.verified.id, log: stores.log }));
}

/** A site by its id, the end of it, or its member's name. */
export function siteNamed(text: string, { logs }: WitnessingView): SiteId | undefined {
  const [found, ...others] = logs.filter(
    ({ site, name }) => site === text || name === text || (text.length >= 6 && site.endsWith(text)),
  );
  return others.length === 0 ? found?.site : undefined;
}
