import type { LogStore, NoteStore } from '@consilium/log';
import type { ManifestBody } from '@consilium/records';
import type { RosterHistory } from '@consilium/study';
import type { Logger } from '../logger.ts';
import { createLogTrees, type LogTrees } from './log-trees.ts';
import { NoteBook } from './note-book.ts';
import { Suspicions } from './suspicions.ts';
import { type WitnessCircle, witnessCircle } from './witness-circle.ts';
import { type WitnessingView, witnessingView } from './witnessing-view.ts';

export interface NotesComponents {
  /** Record id of the study's manifest. */
  readonly study: Uint8Array;
  readonly manifest: Pick<ManifestBody, 'roster' | 'witnesses'>;
  /** The roster as it is known now; null while it is only the manifest's. */
  readonly roster: () => RosterHistory | null;
  readonly log: Pick<LogStore, 'forks' | 'head' | 'read'>;
  readonly notes: NoteStore;
  readonly logger: Pick<Logger, 'error' | 'warn'>;
}

/** The checkpoints that a site holds, with whatever is needed to read them. */
export interface Notes {
  readonly circle: WitnessCircle;
  readonly trees: LogTrees;
  readonly book: NoteBook;
  readonly suspicions: Suspicions;
  view(): WitnessingView;
}

/** Opens the checkpoints on disk. @throws {LogError} `STORE`. */
export async function openNotes(components: NotesComponents): Promise<Notes> {
  const { manifest, roster, log, notes: store } = components;
  const circle = witnessCircle(manifest, roster);
  const trees = createLogTrees(log);
  const book = await NoteBook.open({ ...components, store, circle });
  const suspicions = await Suspicions.open({ ...components, store, circle, trees, book });
  return {
    circle,
    trees,
    book,
    suspicions,
    view: () => witnessingView(circle, book, suspicions, log),
  };
}
