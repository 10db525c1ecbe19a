import { randomBytes } from 'node:crypto';
import { RPC } from '@libp2p/gossipsub/message';
import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { expect, onTestFinished, test } from 'vitest';
import { encodeFrame } from './framing.ts';
import { ANNOUNCE_TOPIC, type Host, startHost } from './host.ts';
import { DEFAULT_TIMING } from './limits.ts';
import { encodeSummary } from './summary.ts';
import { SYNC_PROTOCOL } from './sync-answers.ts';
import { encodeSyncMessage } from './sync-message.ts';
import { silent, startSite, type TestRoster, testKey, until } from './test-sites.ts';

const key = testKey(77);

/** A member that runs libp2p with our settings, and nothing of ours on top. */
async function startBare(target: string): Promise<{ host: Host; connection: Connection }> {
  const host = await startHost(key, [], {}, DEFAULT_TIMING, async () => {});
  onTestFinished(async () => {
    await host.stop();
  });
  return { host, connection: await host.dial(multiaddr(target)) };
}

test('a member that asks faster than its rate is slowed and not refused', async () => {
  const roster: TestRoster = { members: [{ site: key.id, addresses: [] }] };
  const a = await startSite(1, roster, { limits: { requestRate: { perSecond: 50, burst: 10 } } });
  const { connection } = await startBare(a.network.addresses()[0] ?? '');
  const stream = await connection.newStream(SYNC_PROTOCOL);
  let received = 0;
  stream.addEventListener('message', ({ data }) => {
    received += data.byteLength;
  });
  const request = encodeFrame(
    encodeSyncMessage({ type: 'read', author: a.key.id, from: 0, count: 1 }),
  );
  const summary = encodeFrame(encodeSummary({ heads: [], forks: [] }));
  const answer = encodeFrame(encodeSyncMessage({ type: 'entries', entries: [] })).length;
  const beganMs = performance.now();
  stream.send(Buffer.concat([summary, ...Array.from({ length: 40 }, () => request)]));
  await until('all are answered', () => received === summary.length + 40 * answer);
  // 41 requests, 10 at once, the other 31 at 50 a second.
  expect(performance.now() - beganMs).toBeGreaterThan(500);
  expect(a.network.peers()).toMatchObject([{ banned: false, connected: true }]);
});

test('a member over whose connection gossip has died is cut, so that it can come again', async () => {
  const roster: TestRoster = { members: [{ site: key.id, addresses: [] }] };
  const told: unknown[] = [];
  const a = await startSite(
    1,
    roster,
    { timing: { gossipGraceMs: 300 } },
    { logger: { ...silent, warn: (fields) => told.push(fields) } },
  );
  // It never subscribes: to a it looks like a peer whose gossip stream broke.
  const { connection } = await startBare(a.network.addresses()[0] ?? '');
  await until('it is cut', () => connection.status !== 'open');
  expect(told).toMatchObject([{ site: key.id, error: 'connected, but without gossip' }]);
});

test('a flood of gossip cuts the connection', async () => {
  const roster: TestRoster = { members: [{ site: key.id, addresses: [] }] };
  const a = await startSite(1, roster, {
    limits: { gossipByteRate: { perSecond: 1000, burst: 200_000 } },
  });
  const { host, connection } = await startBare(a.network.addresses()[0] ?? '');
  host.services.pubsub.subscribe(ANNOUNCE_TOPIC);
  await until('gossip runs', () => a.network.peers()[0]?.gossip === true);
  const stream = connection.streams.find(
    ({ protocol, direction }) => protocol.startsWith('/meshsub') && direction === 'outbound',
  );
  const message = RPC.encode({
    subscriptions: [],
    messages: [{ topic: ANNOUNCE_TOPIC, data: randomBytes(30_000) }],
  });
  const prefix = Uint8Array.of(
    (message.length & 127) | 128,
    ((message.length >> 7) & 127) | 128,
    message.length >> 14,
  );
  for (
    let i = 0;
    i < 100 && connection.status === 'open' && stream?.writeStatus === 'writable';
    i += 1
  ) {
    stream.send(Buffer.concat([prefix, message]));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await until('it is cut', () => connection.status !== 'open');
});

test('announced heads of an author outside the roster lead nowhere', async () => {
  const roster: TestRoster = { members: [{ site: key.id, addresses: [] }] };
  const a = await startSite(1, roster);
  const { host } = await startBare(a.network.addresses()[0] ?? '');
  host.services.pubsub.subscribe(ANNOUNCE_TOPIC);
  await until('gossip runs both ways', () => {
    const heard = host.services.pubsub.getSubscribers(ANNOUNCE_TOPIC).length;
    return a.network.peers()[0]?.gossip === true && heard === 1;
  });
  let asked = 0;
  await host.handle(SYNC_PROTOCOL, (stream) => {
    asked += 1;
    stream.abort(new Error('not today'));
  });
  const digest = new Uint8Array(32);
  const claim = (author: string): Uint8Array =>
    encodeSummary({ heads: [{ author, size: 9, root: digest, last: digest }], forks: [] });
  await host.services.pubsub.publish(ANNOUNCE_TOPIC, claim(testKey(78).id));
  await host.services.pubsub.publish(ANNOUNCE_TOPIC, claim(key.id));
  await until('it asks for the member alone', () => asked > 0);
  expect(asked).toBe(1);
});

test('anti-entropy finds what no announcement told', async () => {
  const roster: TestRoster = { members: [] };
  const mute = { announceIntervalMs: 3_600_000, antiEntropyMs: 300 };
  const a = await startSite(1, roster, { timing: mute });
  const b = await startSite(2, roster, { timing: mute });
  // The first announcement is not held back: let it pass.
  await a.write();
  await until('the first one arrives', () => b.log.head(a.key.id).size === 1);
  await a.write(3);
  await until('the others as well', () => b.log.head(a.key.id).size === 4);
});
