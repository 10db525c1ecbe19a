import type { LogStore } from '@consilium/log';
import { decodeEnvelope, recordId } from '@consilium/records';
import { PROTOCOL_LIMITS } from './limits.ts';
import type { ForkClaim, Head, Summary } from './summary.ts';

/** The parts of a log that peers ask for, bounded as the protocol bounds them. */
export interface LogView {
  /** This site's version vector and fork proofs, of wanted authors only. */
  summary(): Summary;
  /** The index from which two entries of `author` are held, if any. */
  forkIndex(author: string): number | undefined;
  /** Reads the fork proofs again; call after an append that reported one. */
  refreshForks(): Promise<void>;
  /** At most `count` entries from `from` on, at most 512 KiB of them (but one at least). */
  read(author: string, from: number, count: number): Promise<readonly Uint8Array[]>;
  /** The two entries of the fork, or none. */
  proof(author: string): Promise<readonly Uint8Array[]>;
  /** Record id of entry `index`, when it is held. */
  idAt(author: string, index: number): Promise<Uint8Array | undefined>;
}

/** A view of `log`, limited to authors of whom `isWanted` says yes. */
export function createLogView(log: LogStore, isWanted: (author: string) => boolean): LogView {
  let forks: readonly ForkClaim[] = [];
  const read = (author: string, from: number, count: number): Promise<readonly Uint8Array[]> =>
    log.read(author, from, { maxEntries: count, maxBytes: PROTOCOL_LIMITS.entryBytesPerFrame });
  return {
    summary: () => ({
      heads: log.heads().flatMap(toHead).filter(byWanted).sort(byAuthor).slice(0, MOST),
      forks: forks.filter(byWanted).slice(0, MOST),
    }),
    forkIndex: (author) => forks.find((fork) => fork.author === author)?.index,
    refreshForks: async () => {
      const held = await log.forks();
      forks = held.map(({ author, index }) => ({ author, index })).sort(byAuthor);
    },
    read,
    proof: async (author) => {
      const fork = (await log.forks()).find((held) => held.author === author);
      return fork === undefined ? [] : fork.entries;
    },
    idAt: async (author, index) => {
      const [entry] = await read(author, index, 1);
      return entry === undefined ? undefined : entryId(entry);
    },
  };
  function byWanted({ author }: { author: string }): boolean {
    return isWanted(author);
  }
}

const MOST = PROTOCOL_LIMITS.summaryEntries;

/** Record id of an entry, without checking its signature: for comparing, never for trusting. */
export function entryId(entry: Uint8Array): Uint8Array {
  const { payloadType, payload } = decodeEnvelope(entry);
  return recordId(payloadType, payload);
}

function toHead(head: ReturnType<LogStore['heads']>[number]): Head[] {
  const { author, size, root, last } = head;
  return size === 0 || last === null ? [] : [{ author, size, root, last }];
}

function byAuthor(a: { author: string }, b: { author: string }): number {
  return a.author < b.author ? -1 : a.author > b.author ? 1 : 0;
}
