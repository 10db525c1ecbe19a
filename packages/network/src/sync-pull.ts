import { LogError, type LogStore } from '@consilium/log';
import { decodeEnvelope, RecordError } from '@consilium/records';
import { NetworkError } from './error.ts';
import type { Exchange } from './exchange.ts';
import { PROTOCOL_LIMITS } from './limits.ts';
import { entryId, type LogView } from './log-view.ts';
import { encodeSummary, type Head, type Summary } from './summary.ts';
import {
  decodeSyncAnswer,
  encodeSyncMessage,
  type ForkRequest,
  type ReadRequest,
  type SyncAnswer,
} from './sync-message.ts';

/** What a pull works with. */
export interface SyncPullComponents {
  log: LogStore;
  view: LogView;
  /** Whether the record at `index` of `author`'s log is wanted here. */
  wants: (author: string, index: number) => boolean;
  /** Throws to refuse an entry that is well made but not wanted here. */
  admit: (entry: Uint8Array) => void;
  /** Hears of an entry or a log that was not taken, and why. */
  onRefused: (author: string, error: unknown) => void;
}

/** What came of one pull. */
export interface SyncPullResult {
  /** What the peer claims to hold. */
  claims: Summary;
  /** Entries that are new here, fork proofs included. */
  received: number;
}

/**
 * Takes from one peer every wanted entry that it has and this site lacks, and every fork proof.
 *
 * Each log is extended strictly at its end. Where the peer's log and ours differ below both ends, the first
 * index at which they do is found by bisection, and the peer's entry there is handed to the log, which keeps
 * both as proof. An author with a known fork is not extended any more.
 *
 * @throws {NetworkError} when the peer breaks the protocol or the line breaks; what was appended stays.
 * @throws {LogError} when this site's storage fails.
 */
export async function pullFrom(
  exchange: Exchange,
  components: SyncPullComponents,
): Promise<SyncPullResult> {
  const { view, wants } = components;
  const first = decodeSyncAnswer(await exchange.ask(encodeSummary(view.summary())));
  if (first.type !== 'summary') {
    throw new NetworkError('PROTOCOL_VIOLATION', 'the first answer of sync is a summary');
  }
  const claims = first.summary;
  let received = 0;
  for (const head of claims.heads) {
    if (wants(head.author, 0)) {
      received += await pullLog(exchange, components, head);
    }
  }
  for (const fork of claims.forks) {
    if (wants(fork.author, fork.index) && fork.index < (view.forkIndex(fork.author) ?? Infinity)) {
      received += await pullProof(exchange, components, fork.author);
    }
  }
  return { claims, received };
}

async function pullLog(
  exchange: Exchange,
  components: SyncPullComponents,
  head: Head,
): Promise<number> {
  const { log, view, wants } = components;
  const { author } = head;
  let received = 0;
  if (view.forkIndex(author) !== undefined) {
    return 0;
  }
  const held = sizeOf(log, author);
  if (held >= head.size) {
    const ours = await view.idAt(author, head.size - 1);
    const same = ours !== undefined && equal(ours, head.last);
    return same ? 0 : pullFork(exchange, components, author, head.size);
  }
  for (let from = held; from < head.size && wants(author, from); from = sizeOf(log, author)) {
    const entries = await askEntries(exchange, author, from, PROTOCOL_LIMITS.entriesPerFrame);
    const outcome = await appendAll(components, author, from, entries);
    received += outcome.received;
    if (outcome.stopped === 'chain') {
      return received + (await pullFork(exchange, components, author, sizeOf(log, author)));
    }
    if (outcome.stopped !== undefined || sizeOf(log, author) <= from) {
      return received;
    }
  }
  return received;
}

interface AppendOutcome {
  received: number;
  /** Why the rest was left: `chain` when an entry does not follow ours. */
  stopped?: 'chain' | 'refused' | 'fork';
}

async function appendAll(
  components: SyncPullComponents,
  author: string,
  from: number,
  entries: readonly Uint8Array[],
): Promise<AppendOutcome> {
  let received = 0;
  for (const [i, entry] of entries.entries()) {
    const result = await take(components, author, entry);
    if (result.status === 'appended' || result.status === 'fork') {
      received += 1;
    }
    if (result.status !== 'appended' && result.status !== 'known') {
      return { received, stopped: result.status };
    }
    if (result.index !== from + i) {
      throw new NetworkError('PROTOCOL_VIOLATION', 'entries out of order');
    }
  }
  return { received };
}

type Taken =
  | { status: 'appended' | 'known'; index: number }
  | { status: 'fork' | 'chain' | 'refused' };

/**
 * Hands one entry to policy and log. An entry that no honest peer can hold (unreadable, not signed, of
 * another author) is a violation; one that this site's policy refuses is not.
 */
async function take(
  { log, view, admit, onRefused }: SyncPullComponents,
  author: string,
  entry: Uint8Array,
): Promise<Taken> {
  checkAuthor(author, entry);
  try {
    admit(entry);
  } catch (error) {
    onRefused(author, error);
    return { status: 'refused' };
  }
  try {
    const { status, index } = await log.append(entry);
    if (status !== 'fork') {
      return { status, index };
    }
    await view.refreshForks();
    return { status };
  } catch (error) {
    if (error instanceof LogError && error.code === 'CHAIN') {
      return { status: 'chain' };
    }
    if (error instanceof LogError && (error.code === 'ENTRY' || error.code === 'GAP')) {
      throw new NetworkError('PROTOCOL_VIOLATION', `not the next entry of ${author}`, {
        cause: error,
      });
    }
    throw error;
  }
}

function checkAuthor(author: string, entry: Uint8Array): void {
  try {
    // The log checks everything again, signature included; this only ties the entry to what was asked.
    if (decodeEnvelope(entry).signer === author) {
      return;
    }
  } catch (cause) {
    if (cause instanceof RecordError) {
      throw new NetworkError('PROTOCOL_VIOLATION', 'not an entry', { cause });
    }
    throw cause;
  }
  throw new NetworkError('PROTOCOL_VIOLATION', `an entry that is not of ${author}`);
}

/**
 * Both logs have at least `common` entries and differ somewhere below. Finds the first difference, and
 * appends the peer's entry there, so that this site holds the proof.
 */
async function pullFork(
  exchange: Exchange,
  components: SyncPullComponents,
  author: string,
  common: number,
): Promise<number> {
  let low = 0;
  let high = common - 1;
  let theirs: Uint8Array | undefined;
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const [entry] = await askEntries(exchange, author, middle, 1);
    const ours = await components.view.idAt(author, middle);
    if (entry === undefined || ours === undefined) {
      return 0;
    }
    checkAuthor(author, entry);
    if (equal(entryId(entry), ours)) {
      low = middle + 1;
    } else {
      theirs = entry;
      high = middle - 1;
    }
  }
  if (theirs === undefined) {
    throw new NetworkError('PROTOCOL_VIOLATION', `a log of ${author} that contradicts itself`);
  }
  const result = await take(components, author, theirs);
  return result.status === 'fork' ? 1 : 0;
}

async function pullProof(
  exchange: Exchange,
  components: SyncPullComponents,
  author: string,
): Promise<number> {
  const before = components.view.forkIndex(author);
  const request: ForkRequest = { type: 'fork', author };
  const answer = decodeSyncAnswer(await exchange.ask(encodeSyncMessage(request)));
  for (const entry of entriesOf(answer, 'proof')) {
    await take(components, author, entry);
  }
  return components.view.forkIndex(author) === before ? 0 : 1;
}

async function askEntries(
  exchange: Exchange,
  author: string,
  from: number,
  count: number,
): Promise<readonly Uint8Array[]> {
  const request: ReadRequest = { type: 'read', author, from, count };
  const answer = decodeSyncAnswer(await exchange.ask(encodeSyncMessage(request)));
  const entries = entriesOf(answer, 'entries');
  if (entries.length > count) {
    throw new NetworkError('PROTOCOL_VIOLATION', 'more entries than asked for');
  }
  return entries;
}

function entriesOf(answer: SyncAnswer, type: 'entries' | 'proof'): readonly Uint8Array[] {
  if (answer.type !== type) {
    throw new NetworkError('PROTOCOL_VIOLATION', `${type} were asked for, got ${answer.type}`);
  }
  return answer.entries;
}

function sizeOf(log: LogStore, author: string): number {
  return log.head(author).size;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
