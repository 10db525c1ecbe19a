import type { BlobStore, CosignRequest, LogStore } from '@consilium/log';
import type { SiteId, SiteKey } from '@consilium/records';
import type { Random } from './backoff.ts';
import type { Clock } from './clock.ts';
import { NetworkError } from './error.ts';
import {
  DEFAULT_LIMITS,
  DEFAULT_TIMING,
  type NetworkLimits,
  type NetworkTiming,
} from './limits.ts';
import type { Logger } from './logger.ts';
import type { RosterMember } from './member-table.ts';
import { type Session, startSession } from './session.ts';
import type { CosignReply } from './witness-message.ts';
import type { Witnessing } from './witnessing.ts';

/** What a network works with. */
export interface NetworkComponents {
  /** The site's key: its PeerId, and what its announcements are signed with. */
  key: SiteKey;
  log: LogStore;
  blobs: BlobStore;
  /** The roster, this site included or not; read again at every `refresh` and about once a second. */
  members: () => readonly RosterMember[];
  /**
   * How many records of an author's log are wanted here. Logs of those who may not connect any more are passed on as far as they still count.
   * @default all of a member's, none of anybody else's
   */
  wanted?: (author: SiteId) => number;
  /** Throws to refuse an entry that is well made but not wanted here. */
  admit: (entry: Uint8Array) => void;
  /** @default none: the site cosigns nothing, and neither asks for notes nor holds any */
  witnessing?: Witnessing;
  clock: Clock;
  random: Random;
  logger: Logger;
}

/** What can be tuned. */
export interface NetworkInit {
  /** Multiaddrs to listen on; none for a site that only dials. @default [] */
  listen?: readonly string[];
  /** See {@link NetworkLimits}. */
  limits?: Partial<NetworkLimits>;
  /** See {@link NetworkTiming}. */
  timing?: Partial<NetworkTiming>;
}

/** How things stand with one member. Times are in ms since the epoch. */
export interface PeerStatus {
  site: SiteId;
  connected: boolean;
  /** Whether announcements reach it. */
  gossip: boolean;
  /** Whether it is kept away after violations. */
  banned: boolean;
  lastSyncAt: number | null;
  /** How the last attempt to talk to it failed; null after a success. */
  lastError: string | null;
}

/** What came of asking every connected member. */
export interface SyncReport {
  /** Members asked. */
  peers: number;
  /** Members that did not answer to the end. */
  failed: number;
}

/** One site's place in the network. */
export interface Network {
  /** Starts listening and dialling. @throws {NetworkError} `LISTEN_FAILED`. */
  start(): Promise<void>;
  /** Ends everything: running fetches reject, connections close. May be started again. */
  stop(): Promise<void>;
  /** The addresses at which this site can be dialled, with its id. Empty before `start`. */
  addresses(): string[];
  /** Every other member of the roster. */
  peers(): PeerStatus[];
  /** Tells the members how far the logs here reach. Also happens by itself after every append. */
  announce(): Promise<void>;
  /** Pulls from every connected member now. One member's failure is counted, not thrown. */
  sync(signal?: AbortSignal): Promise<SyncReport>;
  /**
   * Fetches a blob of exactly `bytes` bytes into the blob store; at once when it is there. Calls for one digest
   * share one fetch. What was received is kept when it fails.
   *
   * @throws {NetworkError} `BLOB_UNAVAILABLE`, `BLOB_TOO_LARGE`, `NOT_STARTED`. @throws {LogError} when the disk fails.
   */
  fetchBlob(digest: string, bytes: number, options?: { signal?: AbortSignal }): Promise<void>;
  /**
   * Asks a member to cosign a checkpoint. What comes back is well formed, and otherwise its word.
   *
   * @throws {NetworkError} `NOT_CONNECTED`, `TIMEOUT`, `STREAM_CLOSED`, `NOT_STARTED`, or what the member did against the protocol.
   */
  cosign(site: SiteId, request: CosignRequest, signal?: AbortSignal): Promise<CosignReply>;
  /** Applies the roster now: connections with removed members close, new members are dialled. */
  refresh(): Promise<void>;
}

/** A network that is not started yet. */
export function createNetwork(components: NetworkComponents, init: NetworkInit = {}): Network {
  const limits = { ...DEFAULT_LIMITS, ...init.limits };
  const timing = { ...DEFAULT_TIMING, ...init.timing };
  let session: Promise<Session> | undefined;
  let current: Session | undefined;

  const started = (): Session => {
    if (current === undefined) {
      throw new NetworkError('NOT_STARTED', 'the network is not started');
    }
    return current;
  };
  return {
    start: async () => {
      session ??= startSession(components, init.listen ?? [], limits, timing);
      try {
        current = await session;
      } catch (error) {
        session = undefined;
        throw error;
      }
    },
    stop: async () => {
      const ending = session;
      session = undefined;
      current = undefined;
      await (await ending)?.stop();
    },
    addresses: () => current?.addresses() ?? [],
    peers: () => current?.peers() ?? [],
    announce: async () => started().announce(),
    sync: async (signal) => started().sync(signal),
    fetchBlob: async (digest, bytes, options) => started().fetchBlob(digest, bytes, options),
    cosign: async (site, request, signal) => started().cosign(site, request, signal),
    refresh: async () => started().refresh(),
  };
}
