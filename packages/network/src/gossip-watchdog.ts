import type { Connection } from '@libp2p/interface';
import type { Clock } from './clock.ts';
import { NetworkError } from './error.ts';
import { ANNOUNCE_TOPIC, type Host } from './host.ts';
import type { MemberTable } from './member-table.ts';

/** Looks after the gossip of connected members; `check` is called again and again. */
export interface GossipWatchdog {
  check(): void;
}

/**
 * Replaces connections over which gossip has died, and cuts those over which it floods.
 *
 * gossipsub forgets a peer for good when one message breaks its stream, while the connection stays up. So a
 * member that is connected and has not been subscribed to the topic for `graceMs` loses its connections;
 * the dialer brings it back. Gossip streams have no back-pressure, so their bytes are counted, and a peer
 * above its rate loses its connections as well.
 */
export function createGossipWatchdog(
  host: Host,
  clock: Clock,
  members: MemberTable,
  graceMs: number,
  onCut: (site: string, reason: Error) => void,
): GossipWatchdog {
  const silentSince = new Map<string, number>();
  const counted = new WeakSet<object>();

  const cut = (site: string, connections: readonly Connection[], reason: Error): void => {
    for (const connection of connections) {
      connection.abort(reason);
    }
    onCut(site, reason);
  };

  const countBytes = (site: string, connection: Connection): void => {
    for (const stream of connection.streams) {
      const isGossip = host.services.pubsub.protocols.includes(stream.protocol);
      if (!isGossip || stream.direction !== 'inbound' || counted.has(stream)) {
        continue;
      }
      counted.add(stream);
      stream.addEventListener('message', ({ data }) => {
        if (members.get(site)?.guard.gossipBytes(data.byteLength) === false) {
          cut(site, [connection], new NetworkError('PROTOCOL_VIOLATION', 'a flood of gossip'));
        }
      });
    }
  };

  return {
    check: () => {
      const subscribed = new Set(
        host.services.pubsub.getSubscribers(ANNOUNCE_TOPIC).map((peer) => peer.toString()),
      );
      const connections = Map.groupBy(host.getConnections(), ({ remotePeer }) =>
        remotePeer.toString(),
      );
      for (const site of silentSince.keys()) {
        if (!connections.has(site) || subscribed.has(site)) {
          silentSince.delete(site);
        }
      }
      for (const [site, open] of connections) {
        for (const connection of open) {
          countBytes(site, connection);
        }
        const since = silentSince.get(site) ?? clock.now();
        if (!subscribed.has(site)) {
          silentSince.set(site, since);
          if (clock.now() - since >= graceMs) {
            silentSince.delete(site);
            cut(site, open, new NetworkError('TIMEOUT', 'connected, but without gossip'));
          }
        }
      }
    },
  };
}
