import { askNode } from './ask-node.ts';
import { NodeError } from './error.ts';
import { type FoundingRecord, readJoined } from './founding.ts';
import { RecordIntake } from './record-intake.ts';
import { type RosterView, rosterView } from './roster-view.ts';
import type { SiteFolder } from './site-folder.ts';
import { openStores } from './stores.ts';

/** A site's study and its roster. */
export interface RosterHere {
  readonly founding: FoundingRecord;
  readonly view: RosterView;
  readonly isRunning: boolean;
}

/**
 * The running node's own word, or what the site's disk says while none runs.
 * @throws {NodeError} `STUDY_MISSING`.
 */
export async function rosterHere(folder: SiteFolder): Promise<RosterHere> {
  const founding = await readJoined(folder);
  const answer = await askNode(folder, '/roster');
  const view: RosterView | null =
    answer === null
      ? await rosterOnDisk(folder, founding)
      : JSON.parse(new TextDecoder().decode(answer));
  if (view !== null) return { founding, view, isRunning: answer !== null };
  throw new NodeError(
    'STUDY_MISSING',
    'the study’s manifest is not here yet',
    'start the node while another member can be reached',
  );
}

async function rosterOnDisk(
  folder: SiteFolder,
  { verified }: FoundingRecord,
): Promise<RosterView | null> {
  await using stores = await openStores(folder);
  const intake = new RecordIntake(stores.log, verified.id);
  intake.fold.add(verified);
  await intake.take();
  return rosterView(intake.fold, verified.id);
}
