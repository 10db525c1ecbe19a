import { type Chain, emptyChain, sameId } from './chain.ts';
import { type EntryReader, isAuthor, readPlace } from './entry.ts';
import { LogError } from './error.ts';
import type { LogDatabase, LogOperation } from './log-database.ts';
import {
  authorKey,
  authorRange,
  decodeHead,
  decodePair,
  encodeHead,
  entryKey,
  type HeadMark,
  parseEntryKey,
  spaceRange,
} from './log-keys.ts';

/** What was found damaged at open. It is found again at every open until the log is whole. */
export interface LogRepair {
  readonly author: string;
  /** Entries that the author's log had when it was longest, as far as anything on disk still tells. */
  readonly sizeBefore: number;
  /** Entries that verified, from the first on: those from here on have to come from peers again. */
  readonly sizeAfter: number;
  /** For people. */
  readonly reason: string;
}

/** The logs as they verified at open, the disk having been brought in line with them. */
export interface Recovery {
  readonly chains: Map<string, Chain>;
  /** Where an author's log was once longer than it is now. */
  readonly marks: Map<string, HeadMark>;
  /** The index of each author's kept fork proof. */
  readonly forked: Map<string, number>;
  readonly repairs: readonly LogRepair[];
}

/**
 * Reads the whole store and verifies every entry, link and recorded head. A chain is cut before its first entry that
 * is missing, unreadable or unlinked. What is cut off is put aside and not destroyed: once the hole is filled, or the
 * reader is mended that wrongly refused it, a later open puts it back.
 */
export async function recover(database: LogDatabase, read: EntryReader): Promise<Recovery> {
  const recovery = { chains: new Map(), marks: new Map(), repairs: [] as LogRepair[] };
  for (const author of await authorsIn(database)) {
    const { chain, mark, reason } = await recoverAuthor(database, read, author);
    const size = chain.head().size;
    recovery.chains.set(author, chain);
    if (mark.size > size) recovery.marks.set(author, mark);
    if (reason !== undefined) {
      recovery.repairs.push({ author, sizeBefore: mark.size, sizeAfter: size, reason });
    }
  }
  return { ...recovery, forked: await recoverForks(database, read) };
}

async function authorsIn(database: LogDatabase): Promise<string[]> {
  const authors = new Set<string>();
  for (const space of ['e', 'a'] as const) {
    for await (const key of database.keys(spaceRange(space))) {
      const author = parseEntryKey(key)?.author;
      if (author !== undefined) authors.add(author);
    }
  }
  for await (const key of database.keys(spaceRange('h'))) authors.add(key.slice(2));
  return [...authors].filter(isAuthor);
}

interface AuthorRecovery {
  readonly chain: Chain;
  readonly mark: HeadMark;
  readonly reason: string | undefined;
}

async function recoverAuthor(
  database: LogDatabase,
  read: EntryReader,
  author: string,
): Promise<AuthorRecovery> {
  const stored = await storedMark(database, author);
  const swept = await sweep(database, read, author);
  const chain = await rejoin(database, read, author, swept.chain);
  const { size, root } = chain.head();
  const longest = Math.max(stored?.size ?? 0, swept.seen, size);
  const reason = whatIsWrong(stored, { size, root }, longest);
  const mark: HeadMark =
    longest === size
      ? { size, root }
      : { size: longest, root: stored?.size === longest ? stored.root : null };
  if (reason !== undefined || stored?.size !== longest) {
    const put: LogOperation = {
      type: 'put',
      key: authorKey('h', author),
      value: encodeHead(mark),
    };
    await database.write([put], { sync: true });
  }
  return { chain, mark, reason };
}

function whatIsWrong(
  stored: HeadMark | undefined,
  verified: { size: number; root: Uint8Array },
  longest: number,
): string | undefined {
  if (verified.size < longest) {
    return `entry ${verified.size} is missing, damaged or does not follow the one before`;
  }
  if (stored === undefined) return 'the record of the log’s size is missing or damaged';
  if (
    stored.size === verified.size &&
    stored.root !== null &&
    !sameId(stored.root, verified.root)
  ) {
    return 'the entries are others than those that were there';
  }
  return undefined;
}

/** Verifies from entry 0 on; from the first failure on, puts the rest aside. */
async function sweep(
  database: LogDatabase,
  read: EntryReader,
  author: string,
): Promise<{ chain: Chain; seen: number }> {
  let chain = emptyChain(author);
  let seen = 0;
  let whole = true;
  for await (const [key, entry] of database.entries(authorRange('e', author))) {
    const index = parseEntryKey(key)?.index;
    if (index === undefined) continue;
    seen = index + 1;
    const longer: Chain | undefined = whole ? extended(chain, read, entry, index) : undefined;
    if (longer === undefined) {
      whole = false;
      await move(database, key, entryKey('a', author, index), entry);
    } else chain = longer;
  }
  return { chain, seen };
}

/** Puts back what lies aside and now follows. */
async function rejoin(
  database: LogDatabase,
  read: EntryReader,
  author: string,
  cut: Chain,
): Promise<Chain> {
  let chain = cut;
  for (;;) {
    const index = chain.head().size;
    const aside = entryKey('a', author, index);
    const entry = await database.get(aside);
    const longer: Chain | undefined = entry && extended(chain, read, entry, index);
    if (entry === undefined || longer === undefined) return chain;
    await move(database, aside, entryKey('e', author, index), entry);
    chain = longer;
  }
}

function extended(
  chain: Chain,
  read: EntryReader,
  entry: Uint8Array,
  index: number,
): Chain | undefined {
  try {
    const place = readPlace(read, entry);
    const fits = place.author === chain.head().author && place.index === index && chain.fits(place);
    return fits ? chain.with(place) : undefined;
  } catch (error) {
    if (error instanceof LogError) return undefined; // damaged: the caller reports where the chain ends
    throw error;
  }
}

async function move(
  database: LogDatabase,
  from: string,
  to: string,
  entry: Uint8Array,
): Promise<void> {
  await database.write(
    [
      { type: 'put', key: to, value: entry },
      { type: 'del', key: from },
    ],
    { sync: true },
  );
}

async function storedMark(database: LogDatabase, author: string): Promise<HeadMark | undefined> {
  const bytes = await database.get(authorKey('h', author));
  return bytes && decodeHead(bytes);
}

/** Authors with a fork proof that still proves something, and where it lies. */
async function recoverForks(
  database: LogDatabase,
  read: EntryReader,
): Promise<Map<string, number>> {
  const forked = new Map<string, number>();
  for await (const [key, bytes] of database.entries(spaceRange('f'))) {
    const author = key.slice(2);
    const index = forkIndexOf(read, author, bytes);
    if (index !== undefined) forked.set(author, index);
  }
  return forked;
}

/** Where the author said two different things, or undefined when the bytes do not prove it. */
function forkIndexOf(read: EntryReader, author: string, bytes: Uint8Array): number | undefined {
  const pair = decodePair(bytes);
  if (pair === undefined) return undefined;
  try {
    const [first, second] = [readPlace(read, pair[0]), readPlace(read, pair[1])];
    const isFork =
      first.author === author &&
      second.author === author &&
      first.index === second.index &&
      !sameId(first.id, second.id);
    return isFork ? first.index : undefined;
  } catch (error) {
    if (error instanceof LogError) return undefined;
    throw error;
  }
}
