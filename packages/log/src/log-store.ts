import type { AbstractLevel } from 'abstract-level';
import { type Chain, emptyChain, type LogHead, sameId } from './chain.ts';
import { type EntryPlace, type EntryReader, readPlace } from './entry.ts';
import { LogError } from './error.ts';
import { type LogDatabase, type LogOperation, openLogDatabase } from './log-database.ts';
import { authorKey, decodePair, encodeHead, encodePair, entryKey, spaceRange } from './log-keys.ts';
import { type LogRepair, type Recovery, recover } from './recovery.ts';
import { createTurns } from './turns.ts';

/** What became of an entry. `known`: it was there already; `fork`: another one has its index. */
export interface AppendResult {
  readonly author: string;
  readonly index: number;
  readonly status: 'appended' | 'fork' | 'known';
}

/** An entry that has just become part of its author's log. */
export interface AppendedEntry {
  readonly author: string;
  readonly index: number;
  readonly id: Uint8Array;
  readonly entry: Uint8Array;
}

/** Proof that an author said two different things at one place of its log. */
export interface ForkProof {
  readonly author: string;
  readonly index: number;
  /** First the one in the log, then the other. */
  readonly entries: readonly [Uint8Array, Uint8Array];
}

/** Every author's append-only log. Of one database there may be one store at a time. */
export interface LogStore {
  /** What was damaged when the store was opened. */
  readonly repairs: readonly LogRepair[];
  /** All logs that are not empty, ascending by author. From memory. */
  heads(): readonly LogHead[];
  /** One author's log; size 0 for one that never wrote. From memory. */
  head(author: string): LogHead;
  /**
   * Adds the next entry of its author's log, and resolves when it would survive a power cut (with `sync: false`: a crash of
   * the process). Appends of one author happen in the order of the calls. When it rejects, the log is as before.
   *
   * An entry whose index is taken by another is not added. Of such pairs of an author, the one with the lowest index is kept as a proof.
   *
   * @throws {LogError} `ENTRY`, `GAP`, `CHAIN`, `DISK_FULL`, `STORE`, `CLOSED`.
   */
  append(entry: Uint8Array, options?: { sync?: boolean }): Promise<AppendResult>;
  /**
   * An author's entries in order, starting at index `from`: at most `maxEntries`, and as many as fit into `maxBytes`, but always the
   * first, so that a reader that goes on from what it got always gets on.
   *
   * @throws {LogError} `DISK_FULL`, `STORE`, `CLOSED`. @throws {RangeError} for a negative or fractional number.
   */
  read(
    author: string,
    from: number,
    options: { maxEntries: number; maxBytes: number },
  ): Promise<Uint8Array[]>;
  /** One proof for each author that forked: that of the lowest index that was met. */
  forks(): Promise<ForkProof[]>;
  /** Calls `listener` after every append, in order for each author. What it throws becomes an uncaught exception. Returns the way to stop. */
  onAppend(listener: (entry: AppendedEntry) => void): () => void;
  /** Waits for running appends and refuses later calls. The database stays open: it is its owner's. */
  close(): Promise<void>;
}

/**
 * Opens the logs in a database, after verifying every entry in it (about 0.3 ms each where entries are signed).
 * Damage does not fail the open: see {@link LogStore.repairs}.
 *
 * @throws {LogError} `DISK_FULL`, `STORE`.
 */
export async function openLogStore<F, K, V>(
  level: AbstractLevel<F, K, V>,
  read: EntryReader,
): Promise<LogStore> {
  const database = openLogDatabase(level);
  return logStore(database, read, await recover(database, read));
}

function logStore(database: LogDatabase, read: EntryReader, recovery: Recovery): LogStore {
  const { chains, marks, forked, repairs } = recovery;
  const inTurn = createTurns();
  const listeners = new Set<(entry: AppendedEntry) => void>();
  let closed = false;

  function checkOpen(): void {
    if (closed) throw new LogError('CLOSED', 'the log store was closed');
  }

  function chainOf(author: string): Chain {
    return chains.get(author) ?? emptyChain(author);
  }

  async function appendInTurn(
    place: EntryPlace,
    entry: Uint8Array,
    sync: boolean,
  ): Promise<AppendResult> {
    const { author, index, id } = place;
    const chain = chainOf(author);
    const { size } = chain.head();
    if (index < size) return { author, index, status: await compare(place, entry) };
    if (index > size) {
      throw new LogError('GAP', `entry ${index} of ${author} comes after a log of ${size}`);
    }
    if (!chain.fits(place)) {
      throw new LogError('CHAIN', `entry ${index} of ${author} does not follow the one before`);
    }
    const longer = chain.with(place);
    await database.write(appendOperations(longer, entry), { sync });
    chains.set(author, longer);
    if ((marks.get(author)?.size ?? 0) <= index + 1) marks.delete(author);
    notify({ author, index, id, entry });
    return { author, index, status: 'appended' };
  }

  function appendOperations(longer: Chain, entry: Uint8Array): LogOperation[] {
    const { author, size, root } = longer.head();
    const put: LogOperation = { type: 'put', key: entryKey('e', author, size - 1), value: entry };
    // While a damaged log is being refilled, its old size stays on record.
    if ((marks.get(author)?.size ?? 0) > size) return [put];
    return [put, { type: 'put', key: authorKey('h', author), value: encodeHead({ size, root }) }];
  }

  async function compare(place: EntryPlace, entry: Uint8Array): Promise<'fork' | 'known'> {
    const { author, index, id } = place;
    const stored = await database.get(entryKey('e', author, index));
    if (stored === undefined) {
      throw new LogError('STORE', `entry ${index} of ${author} has gone from the database`);
    }
    if (sameId(readPlace(read, stored).id, id)) return 'known';
    // The earliest fork counts: everybody who meets it must exclude the author from the same place on.
    if (index < (forked.get(author) ?? Infinity)) {
      const value = encodePair(stored, entry);
      await database.write([{ type: 'put', key: authorKey('f', author), value }], { sync: true });
      forked.set(author, index);
    }
    return 'fork';
  }

  function notify(appended: AppendedEntry): void {
    for (const listener of listeners) {
      try {
        listener(appended);
      } catch (error) {
        // The entry is durable whatever a listener thinks of it.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  return {
    repairs,
    heads: () =>
      [...chains.values()]
        .map((chain) => chain.head())
        .filter(({ size }) => size > 0)
        .sort((a, b) => (a.author < b.author ? -1 : 1)),
    head: (author) => chainOf(author).head(),
    async append(bytes, { sync = true } = {}) {
      checkOpen();
      const entry = new Uint8Array(bytes); // a copy: what was checked is what is written, whatever the caller does meanwhile
      const place = readPlace(read, entry);
      return await inTurn(place.author, () => appendInTurn(place, entry, sync));
    },
    async read(author, from, { maxEntries, maxBytes }) {
      checkOpen();
      for (const n of [from, maxEntries, maxBytes]) {
        if (!Number.isSafeInteger(n) || n < 0)
          throw new RangeError(`wanted an integer ≥ 0, got ${n}`);
      }
      const to = Math.min(chainOf(author).head().size, from + maxEntries);
      if (from >= to) return [];
      const range = { gte: entryKey('e', author, from), lt: entryKey('e', author, to) };
      const entries: Uint8Array[] = [];
      let bytes = 0;
      for await (const [, entry] of database.entries(range)) {
        bytes += entry.length;
        if (entries.length > 0 && bytes > maxBytes) break;
        entries.push(entry);
      }
      return entries;
    },
    async forks() {
      checkOpen();
      const proofs: ForkProof[] = [];
      for await (const [key, bytes] of database.entries(spaceRange('f'))) {
        const entries = decodePair(bytes);
        const author = key.slice(2);
        if (entries === undefined || !forked.has(author)) continue; // damaged: the next fork replaces it
        proofs.push({ author, index: readPlace(read, entries[0]).index, entries });
      }
      return proofs;
    },
    onAppend(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    async close() {
      closed = true;
      await inTurn.idle();
      listeners.clear();
    },
  };
}
