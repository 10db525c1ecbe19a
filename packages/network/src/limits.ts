import type { Rate } from './token-bucket.ts';

/**
 * Sizes that are part of the protocol: every site uses exactly these, because a message above the
 * receiver's limit cuts the line. They are not options.
 */
export const PROTOCOL_LIMITS = {
  /** Heads or forks in one summary; also the most members a network serves. */
  summaryEntries: 256,
  /** One announcement, in bytes. */
  announcementBytes: 65_536,
  /** One envelope in bytes, as the records package bounds it. */
  entryBytes: 262_144,
  /** Entries in one answer, and bytes of entries asked of the log for it (one more may cross it). */
  entriesPerFrame: 256,
  entryBytesPerFrame: 524_288,
  /** One frame of the sync protocol: 512 KiB of entries, one more entry, and their framing. */
  syncFrameBytes: 1_048_576,
  /** One chunk of a blob; every chunk but the last has exactly this size. */
  chunkBytes: 524_288,
  /** One frame of the blob protocol. */
  blobFrameBytes: 525_312,
  /** The largest blob: 512 chunks. */
  blobBytes: 268_435_456,
  /** Requests a client may have unanswered on one blob stream. */
  blobWindow: 4,
  /** A checkpoint's note with its log's signature and no other, in bytes. */
  checkpointBytes: 1_024,
  /** A note's line with one cosignature, in bytes. */
  lineBytes: 512,
  /** Hashes of a consistency proof, as the log package bounds it. */
  proofHashes: 63,
  /** A note with all its cosignatures, in bytes, as the log package bounds it. */
  noteBytes: 131_072,
  /** Notes that a site claims in one answer: two of each of the most members' logs. */
  noteClaims: 512,
  /** One frame of the witness protocol. */
  witnessFrameBytes: 132_096,
  /** A request of any of the protocols, the opening summary included, in bytes. */
  requestBytes: 65_536,
} as const;

/** What one site decides for itself. Every figure has a default that suits 3 to 50 hospitals. */
export interface NetworkLimits {
  /** Requests that one peer may send over all its streams. @default 200/s, 1000 at once */
  requestRate: Rate;
  /** Bytes, both asked and answered, for one peer over all its streams. @default 64 MiB/s, 16 MiB */
  byteRate: Rate;
  /** Requests of one peer to cosign: each costs a write to the disk. @default 5/s, 50 at once */
  cosignRate: Rate;
  /** Announcements taken from one peer or one author. @default 10/s, 50 at once */
  announcementRate: Rate;
  /** Bytes of gossip streams from one peer; above it the connection is cut. @default 1 MiB/s, 8 MiB */
  gossipByteRate: Rate;
  /** Violations forgiven to one peer before it is banned. @default 0.2/s, 20 at once */
  violationRate: Rate;
  /** How long a banned member stays away. @default 60_000 */
  banMs: number;
  /** Streams of one protocol that one connection may have open towards this site. @default 4 */
  inboundStreams: number;
  /** Connections that one member may have open. @default 4 */
  connectionsPerPeer: number;
}

/** How long and how often. */
export interface NetworkTiming {
  /** Longest wait for a dial, handshakes included. @default 10_000 */
  dialTimeoutMs: number;
  /** Longest wait for an answer, or for the rest of a frame, or for room to write. @default 20_000 */
  requestTimeoutMs: number;
  /** How long a served stream may stay silent between requests. @default 30_000 */
  idleTimeoutMs: number;
  /** Mean pause between two rounds of anti-entropy with every connected member. @default 45_000 */
  antiEntropyMs: number;
  /** Pause of the loop that dials, checks gossip and applies the roster. @default 1_000 */
  tickMs: number;
  /** First and longest pause between dials of one member. @default 500 and 30_000 */
  redialBaseMs: number;
  redialCapMs: number;
  /** How long a connection may exist without gossip before it is replaced. @default 15_000 */
  gossipGraceMs: number;
  /** Least pause between two announcements of this site. @default 1_000 */
  announceIntervalMs: number;
  /** First and longest pause between two tries of a blob. @default 250 and 10_000 */
  blobRetryBaseMs: number;
  blobRetryCapMs: number;
  /** Rounds over all connected members without one new byte, before a blob is given up. @default 6 */
  blobRounds: number;
}

const MEBIBYTE = 2 ** 20;

/** The defaults above. */
export const DEFAULT_LIMITS: NetworkLimits = {
  requestRate: { perSecond: 200, burst: 1000 },
  byteRate: { perSecond: 64 * MEBIBYTE, burst: 16 * MEBIBYTE },
  cosignRate: { perSecond: 5, burst: 50 },
  announcementRate: { perSecond: 10, burst: 50 },
  gossipByteRate: { perSecond: MEBIBYTE, burst: 8 * MEBIBYTE },
  violationRate: { perSecond: 0.2, burst: 20 },
  banMs: 60_000,
  inboundStreams: 4,
  connectionsPerPeer: 4,
};

/** The defaults above. */
export const DEFAULT_TIMING: NetworkTiming = {
  dialTimeoutMs: 10_000,
  requestTimeoutMs: 20_000,
  idleTimeoutMs: 30_000,
  antiEntropyMs: 45_000,
  tickMs: 1_000,
  redialBaseMs: 500,
  redialCapMs: 30_000,
  gossipGraceMs: 15_000,
  announceIntervalMs: 1_000,
  blobRetryBaseMs: 250,
  blobRetryCapMs: 10_000,
  blobRounds: 6,
};
