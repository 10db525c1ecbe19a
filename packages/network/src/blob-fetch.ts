import { type BlobStore, LogError, type PartialBlob } from '@consilium/log';
import { backoffMs, type Random, uniform } from './backoff.ts';
import type { BlobAnswer } from './blob-message.ts';
import { openBlob, pullChunks } from './blob-source.ts';
import { createChunkPlan } from './chunk-plan.ts';
import { type Clock, wait, within } from './clock.ts';
import { isViolation, NetworkError } from './error.ts';
import type { Exchange } from './exchange.ts';
import { type NetworkTiming, PROTOCOL_LIMITS } from './limits.ts';

/** A member that may have a blob, and the way to ask it. */
export interface BlobPeer {
  site: string;
  open(signal: AbortSignal): Promise<Exchange>;
}

/** What fetching works with. */
export interface BlobFetchComponents {
  blobs: BlobStore;
  clock: Clock;
  random: Random;
  timing: NetworkTiming;
  /** The members that can be asked now. */
  peers: () => readonly BlobPeer[];
  /** Hears of every source that failed, and why. */
  onFault: (site: string, error: unknown) => void;
}

// Four sources with four requests of 512 KiB each keep 8 MiB under way.
const MAX_SOURCES = 4;

/**
 * Fetches a blob of exactly `size` bytes from whichever members have it, into the blob store.
 *
 * Rounds: ask up to four peers for their list of chunk digests; take the largest group that agrees; pull from all
 * of it at once; check each chunk against the list and the whole against `digest`. A peer whose chunk breaks its
 * own list, and a group whose list does not lead to `digest`, is not asked again in this fetch. What was
 * received survives a cut, an abort and a restart, and is continued.
 *
 * @throws {NetworkError} `BLOB_TOO_LARGE`; `BLOB_UNAVAILABLE` after `blobRounds` rounds without a new byte.
 * @throws {LogError} when the disk fails. @throws the reason of `signal`.
 */
export async function fetchBlob(
  components: BlobFetchComponents,
  digest: string,
  size: number,
  signal: AbortSignal,
): Promise<void> {
  const { blobs, clock, random, timing } = components;
  checkSize(size);
  const fetch = createFetch(components, digest, size, signal);
  let idleRounds = 0;
  while (!(await blobs.has(digest))) {
    signal.throwIfAborted();
    const progress = await fetch.round();
    if (progress === 'complete') {
      return;
    }
    idleRounds = progress === 'some' ? 0 : idleRounds + 1;
    if (idleRounds >= timing.blobRounds) {
      throw new NetworkError('BLOB_UNAVAILABLE', `no connected member delivered blob ${digest}`);
    }
    const range = { baseMs: timing.blobRetryBaseMs, capMs: timing.blobRetryCapMs };
    await wait(clock, backoffMs(random, idleRounds, range), signal);
  }
}

interface Offer {
  peer: BlobPeer;
  exchange: Exchange;
  list: BlobAnswer;
  /** Equal for peers whose lists are equal. */
  listKey: string;
}

function createFetch(
  components: BlobFetchComponents,
  digest: string,
  size: number,
  signal: AbortSignal,
): { round(): Promise<'complete' | 'some' | 'none'> } {
  const { blobs, clock, random, timing, onFault } = components;
  const digestBytes = Buffer.from(digest, 'hex');
  const failures = new Map<string, number>();
  const liars = new Set<string>();
  /** By which list the bytes so far were checked; undefined for bytes from before this fetch. */
  let prefixListKey: string | undefined;

  const fail = (site: string, error: unknown): void => {
    failures.set(site, (failures.get(site) ?? 0) + 1);
    if (isViolation(error)) {
      liars.add(site);
    }
    onFault(site, error);
  };

  const offerOf = async (peer: BlobPeer): Promise<Offer | undefined> => {
    let exchange: Exchange | undefined;
    try {
      exchange = await peer.open(signal);
      const list = await openBlob(exchange, digestBytes, size);
      if (list !== undefined) {
        return { peer, exchange, list, listKey: Buffer.concat(list.chunks).toString('base64') };
      }
      failures.set(peer.site, (failures.get(peer.site) ?? 0) + 1);
      await exchange.close();
    } catch (error) {
      signal.throwIfAborted();
      exchange?.abort(new NetworkError('STREAM_CLOSED', 'no usable offer', { cause: error }));
      fail(peer.site, error);
    }
    return undefined;
  };

  const candidates = (): readonly BlobPeer[] => {
    const honest = components.peers().filter(({ site }) => !liars.has(site));
    const fewest = Math.min(...honest.map(({ site }) => failures.get(site) ?? 0));
    return shuffled(
      honest.filter(({ site }) => (failures.get(site) ?? 0) === fewest),
      random,
    ).slice(0, MAX_SOURCES);
  };

  const startOver = async (partial: PartialBlob): Promise<PartialBlob> => {
    await partial.discard();
    return blobs.partial(digest, size);
  };

  const pull = async (offer: Offer, plan: ReturnType<typeof createChunkPlan>): Promise<void> => {
    const { peer, exchange, list } = offer;
    try {
      await pullChunks(exchange, digestBytes, list, plan, (change) =>
        within(clock, 2 * timing.requestTimeoutMs, 'chunks of other peers', change, signal),
      );
      await exchange.close();
    } catch (error) {
      exchange.abort(new NetworkError('STREAM_CLOSED', 'a chunk failed', { cause: error }));
      if (error instanceof LogError) {
        throw error;
      }
      signal.throwIfAborted();
      fail(peer.site, error);
    }
  };

  const commit = async (partial: PartialBlob, group: readonly Offer[]): Promise<boolean> => {
    try {
      await partial.commit();
      return true;
    } catch (error) {
      if (!(error instanceof LogError && error.code === 'BLOB_DIGEST')) {
        throw error;
      }
      if (prefixListKey !== undefined) {
        const fault = new NetworkError('BLOB_MISMATCH', `not the bytes of blob ${digest}`);
        for (const { peer } of group) {
          fail(peer.site, fault);
        }
      }
      prefixListKey = undefined;
      return false;
    }
  };

  return {
    round: async () => {
      const offers = (await Promise.all(candidates().map(offerOf))).filter(
        (offer) => offer !== undefined,
      );
      const group = largestGroup(offers, prefixListKey);
      for (const { exchange } of offers.filter((offer) => !group.includes(offer))) {
        exchange.abort(new NetworkError('STREAM_CLOSED', 'another list was chosen'));
      }
      const [first] = group;
      if (first === undefined) {
        return 'none';
      }
      let partial = await blobs.partial(digest, size);
      if (prefixListKey !== undefined && prefixListKey !== first.listKey) {
        partial = await startOver(partial);
      }
      if (partial.received === 0) {
        prefixListKey = first.listKey;
      }
      const before = partial.received;
      const plan = planFor(partial, size);
      const pulls = await Promise.allSettled(group.map((offer) => pull(offer, plan)));
      for (const outcome of pulls) {
        if (outcome.status === 'rejected') {
          throw outcome.reason;
        }
      }
      const { received } = partial;
      if (received === size && (await commit(partial, group))) {
        return 'complete';
      }
      return received > before && received < size ? 'some' : 'none';
    },
  };
}

function planFor(partial: PartialBlob, size: number): ReturnType<typeof createChunkPlan> {
  const first = Math.floor(partial.received / PROTOCOL_LIMITS.chunkBytes);
  // A crash may have left part of a chunk: it is fetched whole, and its beginning dropped.
  let position = first * PROTOCOL_LIMITS.chunkBytes;
  return createChunkPlan(size, first, async (bytes) => {
    await partial.write(bytes.subarray(partial.received - position));
    position += bytes.length;
  });
}

function largestGroup(offers: readonly Offer[], preferred: string | undefined): Offer[] {
  const groups = Map.groupBy(offers, ({ listKey }) => listKey);
  const started = preferred === undefined ? undefined : groups.get(preferred);
  return (
    started ??
    [...groups.values()].reduce<Offer[]>(
      (best, group) => (group.length > best.length ? group : best),
      [],
    )
  );
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, key: uniform(random) }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

function checkSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new RangeError(`a blob's size is an integer of at least 0, got ${size}`);
  }
  if (size > PROTOCOL_LIMITS.blobBytes) {
    throw new NetworkError(
      'BLOB_TOO_LARGE',
      `a blob has at most ${PROTOCOL_LIMITS.blobBytes} bytes, got ${size}`,
    );
  }
}
