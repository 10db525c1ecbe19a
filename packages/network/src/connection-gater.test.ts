import type { ConnectionGater, MultiaddrConnection } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { expect, test } from 'vitest';
import { rosterGater } from './connection-gater.ts';
import { memberAddress } from './member-table.ts';
import { testKey } from './test-sites.ts';

const member = testKey(1).id;
const stranger = testKey(2).id;
const gater = rosterGater(
  (site) => site === member,
  () => true,
);

/** The hooks look at the peer alone. */
const line: MultiaddrConnection = Object.create(null);

test.each([
  'denyDialPeer',
  'denyOutboundConnection',
  'denyInboundEncryptedConnection',
  'denyOutboundEncryptedConnection',
  'denyInboundUpgradedConnection',
  'denyOutboundUpgradedConnection',
] as const)('%s lets a member pass and no stranger', (hook) => {
  expect(gater[hook]?.(peerIdFromString(member), line)).toBe(false);
  expect(gater[hook]?.(peerIdFromString(stranger), line)).toBe(true);
});

test('every hook that libp2p knows is set', () => {
  const hooks: Record<keyof ConnectionGater, true> = {
    denyDialPeer: true,
    denyDialMultiaddr: true,
    denyInboundConnection: true,
    denyOutboundConnection: true,
    denyInboundEncryptedConnection: true,
    denyOutboundEncryptedConnection: true,
    denyInboundUpgradedConnection: true,
    denyOutboundUpgradedConnection: true,
    denyInboundRelayReservation: true,
    denyOutboundRelayedConnection: true,
    denyInboundRelayedConnection: true,
    filterMultiaddrForPeer: true,
  };
  expect(Object.keys(gater).sort()).toEqual(Object.keys(hooks).sort());
});

test('an address must name a member, and addresses of strangers are not kept', () => {
  const address = (site: string): ReturnType<typeof multiaddr> =>
    multiaddr(`/ip4/192.0.2.1/tcp/4001/p2p/${site}`);
  expect(gater.denyDialMultiaddr?.(address(member))).toBe(false);
  expect(gater.denyDialMultiaddr?.(address(stranger))).toBe(true);
  expect(gater.denyDialMultiaddr?.(multiaddr('/ip4/192.0.2.1/tcp/4001'))).toBe(true);
  expect(gater.filterMultiaddrForPeer?.(peerIdFromString(stranger), address(stranger))).toBe(false);
});

test('a member has no room for more connections than allowed', () => {
  const full = rosterGater(
    () => true,
    () => false,
  );
  expect(full.denyInboundUpgradedConnection?.(peerIdFromString(member), line)).toBe(true);
  expect(full.denyInboundEncryptedConnection?.(peerIdFromString(member), line)).toBe(false);
});

test('relays are refused whoever asks', () => {
  const peer = peerIdFromString(member);
  expect(gater.denyInboundRelayReservation?.(peer)).toBe(true);
  expect(gater.denyOutboundRelayedConnection?.(peer, peer)).toBe(true);
  expect(gater.denyInboundRelayedConnection?.(peer, peer)).toBe(true);
});

test('a member address gets the id of its site, and must not name another one', () => {
  expect(memberAddress(member, '/dns4/a.example/tcp/4001').toString()).toBe(
    `/dns4/a.example/tcp/4001/p2p/${member}`,
  );
  for (const text of [`/ip4/192.0.2.1/tcp/1/p2p/${stranger}`, 'a.example:4001', '']) {
    expect(() => memberAddress(member, text)).toThrow(
      expect.objectContaining({ code: 'BAD_ADDRESS' }),
    );
  }
});
