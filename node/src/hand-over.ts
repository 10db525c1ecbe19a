import type { Clock, Network } from '@consilium/network';
import { Wakeup } from './wakeup.ts';

/** How often the connections are looked at. */
const lookMs = 500;
/** How long all connections must have been closed before the members count as having let go of the old key. */
const closedMs = 2_000;
/** How long to try with one key before the other one has its turn. */
const turnMs = 60_000;

interface HandOverComponents {
  readonly network: Pick<Network, 'peers'>;
  readonly clock: Clock;
  /** Whether this run's key speaks for the site, by what is known here. */
  readonly isSpeaking: () => boolean;
}

/**
 * Whose turn it is while a site hands on from one key to the next. Members learn of the new key from the old one's last record, and then close every
 * connection with the old one and admit the new one; until they know it, only the old one can tell them.
 *
 * Resolves to `known` when a member has let the latest key in, to `switch` when the other key should have its turn, and to `stopped` when `signal` aborts.
 */
export async function handOver(
  key: 'earlier' | 'latest',
  { network, clock, isSpeaking }: HandOverComponents,
  signal: AbortSignal,
): Promise<'known' | 'stopped' | 'switch'> {
  const pause = new Wakeup();
  let since = clock.now();
  /** Whether a member is likely to have heard of the new key from this run. */
  let isTold = false;
  let wasSpeaking = false;
  while (!signal.aborted) {
    const isConnected = network.peers().some(({ connected }) => connected);
    if (key === 'latest' && isConnected) return 'known';
    // The old key has its turn for as long as it takes until it has said its last word; it says it only after a member has answered.
    const isSpeakingNow = isSpeaking();
    if (isConnected || (key === 'earlier' && isSpeakingNow)) since = clock.now();
    isTold ||= isConnected || (wasSpeaking && !isSpeakingNow);
    wasSpeaking = isSpeakingNow;
    const limitMs = key === 'earlier' && isTold ? closedMs : turnMs;
    if (clock.now() - since >= limitMs) return 'switch';
    await pause.wait(clock, lookMs, signal);
  }
  return 'stopped';
}
