import type { ConnectionGater, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';

/**
 * Lets members in and nobody else, at every stage that libp2p asks about; libp2p's default admits
 * everyone. Relays and reservations are refused. Before the handshake a peer is unknown, so an
 * inbound socket passes to the handshake, and is closed right after it unless `admits` says yes.
 * `hasRoom` bounds the inbound connections of one member.
 */
export function rosterGater(
  admits: (site: string) => boolean,
  hasRoom: (site: string) => boolean,
): ConnectionGater {
  const denies = (peer: PeerId): boolean => !admits(peer.toString());
  return {
    denyDialPeer: denies,
    denyDialMultiaddr: (address) => {
      const site = siteOf(address);
      return site === undefined || !admits(site);
    },
    denyInboundConnection: () => false,
    denyOutboundConnection: denies,
    denyInboundEncryptedConnection: denies,
    denyOutboundEncryptedConnection: denies,
    denyInboundUpgradedConnection: (peer) => denies(peer) || !hasRoom(peer.toString()),
    denyOutboundUpgradedConnection: denies,
    denyInboundRelayReservation: () => true,
    denyOutboundRelayedConnection: () => true,
    denyInboundRelayedConnection: () => true,
    filterMultiaddrForPeer: (peer) => admits(peer.toString()),
  };
}

/** The last `/p2p/` part of an address, if it has one. */
export function siteOf(address: Multiaddr): string | undefined {
  return address.getComponents().findLast((component) => component.name === 'p2p')?.value;
}
