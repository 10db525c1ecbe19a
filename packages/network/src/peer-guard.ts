import { type Clock, wait } from './clock.ts';
import type { NetworkLimits } from './limits.ts';
import { createTokenBucket } from './token-bucket.ts';

/** What one peer may still do, over all its connections and streams. */
export interface PeerGuard {
  /** Waits until one more request of `bytes` is within the peer's rate. */
  request(bytes: number, signal: AbortSignal): Promise<void>;
  /** Waits until `bytes` more, in either direction, are within the peer's rate. */
  bytes(bytes: number, signal: AbortSignal): Promise<void>;
  /** Waits until one more request to cosign is within the peer's rate. */
  cosign(signal: AbortSignal): Promise<void>;
  /** Whether one more announcement is within the peer's rate. */
  announcement(): boolean;
  /** Whether `bytes` more of gossip are within the peer's rate. */
  gossipBytes(bytes: number): boolean;
  /** Counts a violation; true when the peer is banned by it. */
  violation(): boolean;
  /** Whether the peer is banned now. */
  banned(): boolean;
}

/** A guard with every allowance full. */
export function createPeerGuard(clock: Clock, limits: NetworkLimits): PeerGuard {
  const requests = createTokenBucket(clock, limits.requestRate);
  const bytes = createTokenBucket(clock, limits.byteRate);
  const cosignatures = createTokenBucket(clock, limits.cosignRate);
  const announcements = createTokenBucket(clock, limits.announcementRate);
  const gossip = createTokenBucket(clock, limits.gossipByteRate);
  const violations = createTokenBucket(clock, limits.violationRate);
  let bannedUntilMs = Number.NEGATIVE_INFINITY;
  const pause = async (delayMs: number, signal: AbortSignal): Promise<void> => {
    if (delayMs > 0) {
      await wait(clock, delayMs, signal);
    }
  };
  return {
    request: (count, signal) => pause(Math.max(requests.take(1), bytes.take(count)), signal),
    bytes: (count, signal) => pause(bytes.take(count), signal),
    cosign: (signal) => pause(cosignatures.take(1), signal),
    announcement: () => announcements.tryTake(1),
    gossipBytes: (count) => gossip.tryTake(count),
    violation: () => {
      if (violations.tryTake(1)) {
        return false;
      }
      bannedUntilMs = clock.now() + limits.banMs;
      return true;
    },
    banned: () => clock.now() < bannedUntilMs,
  };
}
