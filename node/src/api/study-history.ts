import type { LogStore } from '@consilium/log';
import { openRecord, type SiteId, type VerifiedRecord } from '@consilium/records';
import {
  type BlobReader,
  foldAt,
  type Heads,
  headsAt,
  StudyError,
  StudyFold,
  type StudyState,
} from '@consilium/study';
import { LeastRecent } from './least-recent.ts';

export interface StudyHistoryComponents {
  /** The manifest. */
  readonly founding: VerifiedRecord;
  readonly log: Pick<LogStore, 'forks' | 'heads' | 'read'>;
  readonly blobs: BlobReader;
}

/** The state of a round, without its weights. */
export interface RoundOutline {
  readonly round: number;
  readonly digest: string;
  readonly isComplete: boolean;
  readonly heads: Heads;
}

/** Values of states’ weights that are kept for the next question: 64 MiB. */
const keptValues = 2 ** 24;
/** Heads of which the digest is remembered. */
const keptDigests = 4096;
/** Records naming one digest whose heads are tried. */
const triedClaims = 4;
/** Rounds that a digest is looked for in, from the last one back. */
const searchedRounds = 500;

/**
 * The study as this node’s logs tell it, at any heads: latest, at a round, or where somebody once stood. A fold of its own, brought up to date when it is
 * asked; questions take turns.
 *
 * Every method throws {@link StudyError} `NO_MANIFEST` or `NO_INITIAL_WEIGHTS` while these are not here.
 */
export class StudyHistory {
  readonly #components: StudyHistoryComponents;
  readonly #fold: StudyFold;
  readonly #taken = new Map<SiteId, number>();
  #forks = '';
  #last: Promise<unknown> = Promise.resolve();
  #latest: StudyState | null = null;
  /** States without missing payloads, by their heads. */
  #states = new LeastRecent<StudyState>(keptValues, ({ weights }) => weights.length);
  /** Their digests, which are kept for longer. */
  #digests = new LeastRecent<string>(keptDigests);

  constructor(components: StudyHistoryComponents) {
    this.#components = components;
    this.#fold = new StudyFold(components.founding.id);
    this.#fold.add(components.founding);
  }

  /** The state at all that is known here. */
  latest(): Promise<StudyState> {
    return this.#inTurn(() => this.#state());
  }

  /** The state of a round, from 0; null for one that nobody has reached. See `headsAt`. */
  atRound(round: number): Promise<StudyState | null> {
    return this.#inTurn(async () => {
      if (round > (await this.#state()).rounds.length) return null;
      return this.#at(headsAt(this.#fold, round));
    });
  }

  /** @throws {StudyError} `HEADS_UNKNOWN`. */
  atHeads(heads: Heads): Promise<StudyState> {
    return this.#inTurn(async () => {
      await this.#catchUp();
      return this.#at(heads);
    });
  }

  /**
   * The state of that digest, if it is the latest, a round's, or one that a record names: what it was trained from or what was evaluated; of several heads with
   * these weights, those of the first of the three. Null for any other, and for one whose heads are not known here.
   */
  byDigest(digest: string): Promise<StudyState | null> {
    return this.#inTurn(async () => {
      const latest = await this.#state();
      if (latest.digest === digest) return latest;
      const end = latest.rounds.length;
      const outlines = await this.#rounds(Math.max(0, end - searchedRounds), end);
      const ofRound = outlines.find((outline) => outline.digest === digest);
      if (ofRound !== undefined) return this.#at(ofRound.heads);
      for (const heads of this.#claims(digest)) {
        const state = await this.#tried(heads);
        if (state?.digest === digest) return state;
      }
      return null;
    });
  }

  /** The states of rounds `from` to `to`, as far as anybody has got, in order. */
  rounds(from: number, to: number): Promise<RoundOutline[]> {
    return this.#inTurn(async () =>
      this.#rounds(from, Math.min(to, (await this.#state()).rounds.length)),
    );
  }

  /** The records of one site’s log that count, in order. */
  recordsOf(site: SiteId): Promise<readonly VerifiedRecord[]> {
    return this.#inTurn(async () => {
      await this.#catchUp();
      return this.#fold.prefixes().get(site) ?? [];
    });
  }

  async #state(): Promise<StudyState> {
    await this.#catchUp();
    if (this.#latest === null || this.#latest.missing.length > 0) {
      this.#latest = await this.#fold.state(this.#components.blobs);
      this.#remember(this.#latest);
    }
    return this.#latest;
  }

  /** Gives the fold what the log has and it has not; then the latest state is another one. */
  async #catchUp(): Promise<void> {
    const { log } = this.#components;
    for (const { author, size } of log.heads()) {
      let taken = this.#taken.get(author) ?? 0;
      while (taken < size) {
        const entries = await log.read(author, taken, { maxEntries: 256, maxBytes: 4 * 2 ** 20 });
        if (entries.length === 0) break;
        for (const entry of entries) this.#fold.add(openRecord(entry));
        taken += entries.length;
        this.#latest = null;
      }
      this.#taken.set(author, taken);
    }
    await this.#takeForks();
  }

  /** A fork takes away what its author said from there on: states over it are no longer given. */
  async #takeForks(): Promise<void> {
    const forks = await this.#components.log.forks();
    const known = forks.map(({ author, index }) => `${author} ${index}`).join();
    if (known === this.#forks) return;
    for (const { entries } of forks) for (const entry of entries) this.#fold.add(openRecord(entry));
    this.#forks = known;
    this.#states = new LeastRecent(keptValues, ({ weights }) => weights.length);
    this.#digests = new LeastRecent(keptDigests);
    this.#latest = null;
  }

  /** What is remembered, or else all of it on one walk. */
  async #rounds(from: number, to: number): Promise<RoundOutline[]> {
    const count = Math.max(0, to - from + 1);
    const heads = Array.from({ length: count }, (_, i) => headsAt(this.#fold, from + i));
    const known = heads.map((at) => this.#digests.get(keyOf(at)));
    if (known.every((digest) => digest !== undefined)) {
      return heads.map((at, i) => ({
        round: from + i,
        digest: known[i] as string,
        isComplete: true,
        heads: at,
      }));
    }
    const outlines: RoundOutline[] = [];
    for await (const { digest, missing, heads: at } of this.#walk(from, to)) {
      const round = from + outlines.length;
      outlines.push({ round, digest, isComplete: missing.length === 0, heads: at });
    }
    return outlines;
  }

  async #at(heads: Heads): Promise<StudyState> {
    const kept = this.#states.get(keyOf(heads));
    if (kept !== undefined) return kept;
    const { founding, blobs } = this.#components;
    const state = await foldAt(this.#fold, founding.id, heads).state(blobs);
    this.#remember(state);
    return state;
  }

  /** Null where a claim names logs that are not known here, or that hold no study. */
  async #tried(heads: Heads): Promise<StudyState | null> {
    try {
      return await this.#at(heads);
    } catch (error) {
      if (error instanceof StudyError) return null;
      throw error;
    }
  }

  /** The states of rounds `from` to `to`, in order, on one fold that grows: each payload is read once. */
  async *#walk(from: number, to: number): AsyncGenerator<StudyState> {
    const { founding, blobs } = this.#components;
    const prefixes = this.#fold.prefixes();
    const growing = new StudyFold(founding.id);
    const sizes = new Map<SiteId, number>();
    for (let round = from; round <= to; round++) {
      for (const { author, size } of headsAt(this.#fold, round)) {
        const records = prefixes.get(author)?.slice(sizes.get(author) ?? 0, size) ?? [];
        for (const record of records) growing.add(record);
        sizes.set(author, size);
      }
      const state = await growing.state(blobs);
      this.#remember(state);
      yield state;
    }
  }

  /** Where whoever names a digest in a record says that it stood. */
  #claims(digest: string): Heads[] {
    const heads: Heads[] = [];
    for (const records of this.#fold.prefixes().values()) {
      for (const { record } of records) {
        if (claimOf(record) !== digest) continue;
        heads.push(headsOf(record));
        if (heads.length === triedClaims) return heads;
      }
    }
    return heads;
  }

  #remember(state: StudyState): void {
    if (state.missing.length > 0) return;
    const key = keyOf(state.heads);
    this.#states.set(key, state);
    this.#digests.set(key, state.digest);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    // The next one waits for this one whether it succeeds or not; its own caller gets the error.
    this.#last = result.catch(() => undefined);
    return result;
  }
}

/** The digest (hex) of the state that a record says it was made on; null for one that names none. */
export function claimOf(record: VerifiedRecord['record']): string | null {
  if (!record.known) return null;
  if (record.kind === 'update') return Buffer.from(record.body.base).toString('hex');
  if (record.kind === 'evaluation') return Buffer.from(record.body.state).toString('hex');
  return null;
}

/** The logs that a record says it was made from. */
export function headsOf({ heads }: VerifiedRecord['record']): Heads {
  return heads.map(({ author, size, root }) => ({
    author,
    size,
    root: Buffer.from(root).toString('hex'),
  }));
}

/** Heads in their order by author, so that equal heads have equal keys. */
function keyOf(heads: Heads): string {
  return heads
    .map(({ author, size, root }) => `${author} ${size} ${root}`)
    .sort()
    .join('\n');
}
