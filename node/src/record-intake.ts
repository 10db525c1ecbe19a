import type { LogStore } from '@consilium/log';
import { decodeEnvelope, openRecord, payloadTypeOf } from '@consilium/records';
import { type RosterHistory, StudyFold } from '@consilium/study';

/** Kinds of records that can change who is in the study. */
const rosterKinds: ReadonlySet<string> = new Set(
  ['manifest', 'roster-change', 'rotation'].map(payloadTypeOf),
);

/**
 * Feeds a study's fold from the logs on disk, and knows the roster that follows. Apart from the site's own loop, so that a member that was removed is cut
 * off at once, also while this site trains.
 */
export class RecordIntake {
  readonly fold: StudyFold;
  readonly #log: LogStore;
  /** Records of each author that the fold has. */
  readonly #taken = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  #roster: RosterHistory | null = null;
  #forks = '';
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;

  /** @param study record id of the manifest */
  constructor(log: LogStore, study: Uint8Array) {
    this.#log = log;
    this.fold = new StudyFold(study);
  }

  /** The roster of what was taken last; null while the manifest is not here. */
  get roster(): RosterHistory | null {
    return this.#roster;
  }

  /** Calls `listener` whenever something was taken that may change the roster. Returns the way to stop. */
  onRoster(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes records about the roster as soon as they are appended; what fails is handed to `onError`. Returns the way to stop. */
  watch(onError: (error: unknown) => void): () => void {
    return this.#log.onAppend(({ entry }) => {
      if (rosterKinds.has(decodeEnvelope(entry).payloadType)) this.take().catch(onError);
    });
  }

  /** Gives the fold what the log has and it has not. Calls that overlap share the work. */
  take(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = null;
      const work = this.#take();
      this.#running = work.catch(() => undefined);
      return work;
    });
    return this.#next;
  }

  async #take(): Promise<void> {
    let isChanged = await this.#takeEntries();
    const forks = await this.#log.forks();
    for (const { entries } of forks) for (const entry of entries) this.fold.add(openRecord(entry));
    const found = forks.map(({ author, index }) => `${author} ${index}`).join('\n');
    isChanged ||= found !== this.#forks;
    this.#forks = found;
    if (!isChanged && this.#roster !== null) return;
    this.#roster = this.fold.roster();
    for (const listener of this.#listeners) listener();
  }

  /** Whether any of them may change the roster. */
  async #takeEntries(): Promise<boolean> {
    let isChanged = false;
    for (const { author, size } of this.#log.heads()) {
      let taken = this.#taken.get(author) ?? 0;
      while (taken < size) {
        const entries = await this.#log.read(author, taken, {
          maxEntries: 256,
          maxBytes: 4 * 2 ** 20,
        });
        if (entries.length === 0) break;
        for (const entry of entries) {
          const verified = openRecord(entry);
          this.fold.add(verified);
          isChanged ||= rosterKinds.has(payloadTypeOf(verified.record.kind));
        }
        taken += entries.length;
      }
      this.#taken.set(author, taken);
    }
    return isChanged;
  }
}
