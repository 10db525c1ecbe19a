import { afterAll, beforeAll, expect, test } from 'vitest';
import { NetworkError } from './error.ts';
import { startLink } from './test-links.ts';
import {
  agree,
  signTestRecord,
  startSite,
  type TestRoster,
  type TestSite,
  testKey,
  until,
} from './test-sites.ts';

const escaped: unknown[] = [];
const onEscaped = (error: unknown): void => {
  escaped.push(error);
};
beforeAll(() => process.on('unhandledRejection', onEscaped));
afterAll(() => {
  process.off('unhandledRejection', onEscaped);
  expect(escaped).toEqual([]);
});

test('two sites find each other and hold the same logs', async () => {
  const roster: TestRoster = { members: [] };
  const a = await startSite(1, roster);
  await a.write(3);
  const b = await startSite(2, roster);
  await b.write(2);
  await until('both agree', () => agree([a, b]) && a.log.heads().length === 2);
  await a.write();
  await until('b hears of the new record', () => b.log.head(a.key.id).size === 4);
});

test('three sites agree, and a late joiner catches up with all of them', async () => {
  const roster: TestRoster = { members: [] };
  const sites = [
    await startSite(1, roster),
    await startSite(2, roster),
    await startSite(3, roster),
  ];
  await Promise.all(sites.map((site) => site.write(10)));
  await until('three agree', () => agree(sites) && sites[0]?.log.heads().length === 3);
  const late = await startSite(4, roster);
  await until('four agree', () => agree([...sites, late]));
  expect(late.log.heads().map(({ size }) => size)).toEqual([10, 10, 10]);
  await until('everybody is connected', () =>
    late.network.peers().every(({ connected, gossip }) => connected && gossip),
  );
});

test('more records than one frame holds arrive in order, by count and by bytes', async () => {
  const roster: TestRoster = { members: [] };
  const a = await startSite(1, roster, { timing: { announceIntervalMs: 3_600_000 } });
  for (let i = 0; i < 270; i += 1) {
    const { size, last } = a.log.head(a.key.id);
    await a.log.append(a.sign(size, last, i < 8 ? 'x'.repeat(100_000) : 'short'));
  }
  const b = await startSite(2, roster);
  await until('b has all', () => b.log.head(a.key.id).size === 270);
  expect(agree([a, b])).toBe(true);
}, 15_000);

test('records travel through a member when their author is gone', async () => {
  const roster: TestRoster = { members: [] };
  const a = await startSite(1, roster);
  const b = await startSite(2, roster);
  await a.write(5);
  await until('b has them', () => b.log.head(a.key.id).size === 5);
  await a.network.stop();
  const c = await startSite(3, roster);
  await until('c has them', () => c.log.head(a.key.id).size === 5);
});

test('the log of one that may not connect any more is passed on to whoever wants it', async () => {
  const roster: TestRoster = { members: [] };
  const a = await startSite(1, roster);
  const wanted = (): number => 5;
  const b = await startSite(2, roster, {}, { wanted });
  await a.write(5);
  await until('b has it', () => b.log.head(a.key.id).size === 5);
  await a.network.stop();
  roster.members = roster.members.filter(({ site }) => site !== a.key.id);
  const c = await startSite(3, roster, {}, { wanted });
  const d = await startSite(4, roster);
  await until('c has it', () => c.log.head(a.key.id).size === 5);
  await b.write();
  await until('d is in step', () => d.log.head(b.key.id).size === 1);
  expect(d.log.head(a.key.id).size).toBe(0);
  expect(c.network.peers().map(({ site }) => site)).not.toContain(a.key.id);
});

test('a stranger is refused, whichever side dials', async () => {
  const roster: TestRoster = { members: [] };
  const a = await startSite(1, roster);
  await a.write(2);
  // The stranger knows the members; they do not know it.
  const stranger = await startSite(66, { members: [...roster.members] });
  await until('it has tried', () => stranger.network.peers()[0]?.lastError !== null);
  expect(stranger.log.heads()).toEqual([]);
  expect(a.network.peers()).toEqual([]);
  expect(stranger.network.peers()[0]?.connected).toBe(false);
});

test('a removed member loses its connection at refresh, and comes back with the roster', async () => {
  const roster: TestRoster = { members: [] };
  const a = await startSite(1, roster, { timing: { tickMs: 3_600_000 } });
  const b = await startSite(2, { members: [...roster.members] });
  const whole = [...roster.members, { site: b.key.id, addresses: b.network.addresses() }];
  roster.members = whole;
  await a.network.refresh();
  await until('connected', () => a.network.peers()[0]?.connected === true);
  roster.members = whole.filter(({ site }) => site !== b.key.id);
  await a.network.refresh();
  expect(a.network.peers()).toEqual([]);
  await until('b sees it', () => b.network.peers()[0]?.connected === false);
  await b.write();
  roster.members = whole;
  await a.network.refresh();
  await until('b is heard again', () => a.log.head(b.key.id).size === 1);
});

test('an entry that the node does not admit is not stored, and the connection stays', async () => {
  const roster: TestRoster = { members: [] };
  const refused: number[] = [];
  const a = await startSite(
    1,
    roster,
    {},
    {
      admit: (entry) => {
        refused.push(entry.length);
        throw new Error('not wanted');
      },
    },
  );
  const b = await startSite(2, roster);
  await b.write(3);
  await until('it was offered', () => refused.length > 0);
  await a.network.sync();
  expect(a.log.heads()).toEqual([]);
  expect(a.network.peers()[0]).toMatchObject({ connected: true, banned: false });
  // Two sites that disagree do not pull from each other without end.
  expect(refused.length).toBeLessThan(10);
});

test('a partition heals, and both halves hold everything', async () => {
  const rosters: TestRoster[] = [{ members: [] }, { members: [] }, { members: [] }];
  const sites: TestSite[] = [];
  for (const [i, roster] of rosters.entries()) {
    sites.push(await startSite(i + 1, roster));
  }
  const links = new Map<string, Awaited<ReturnType<typeof startLink>>>();
  for (const [i, roster] of rosters.entries()) {
    for (const [j, site] of sites.entries()) {
      if (i !== j) {
        const link = await startLink(site.network.addresses()[0] ?? '');
        links.set(`${i}${j}`, link);
        roster.members.push({ site: site.key.id, addresses: [link.address] });
      }
    }
  }
  await Promise.all(sites.map((site) => site.write(2)));
  await until('all agree', () => agree(sites) && sites[0]?.log.heads().length === 3);
  const across = ['02', '20', '12', '21'].map((name) => links.get(name));
  for (const link of across) {
    link?.cut();
  }
  const [a, b, c] = sites;
  await until(
    'the third is alone',
    () => c?.network.peers().every(({ connected }) => !connected) === true,
  );
  await Promise.all(sites.map((site) => site.write(4)));
  await until(
    'the two agree',
    () => a !== undefined && b !== undefined && agree([a, b]) && a.log.head(b.key.id).size === 6,
  );
  expect(
    c?.log
      .heads()
      .map(({ size }) => size)
      .sort(),
  ).toEqual([2, 2, 6]);
  for (const link of across) {
    link?.heal();
  }
  await until('all agree again', () => agree(sites));
  expect(a?.log.heads().map(({ size }) => size)).toEqual([6, 6, 6]);
});

test('a site that stopped and came back with its stores is found again', async () => {
  const roster: TestRoster = { members: [] };
  const a = await startSite(1, roster);
  const b = await startSite(2, roster);
  await b.write(2);
  await until('a has them', () => a.log.head(b.key.id).size === 2);
  const addresses = b.network.addresses();
  await b.network.stop();
  await until('a sees it go', () => a.network.peers()[0]?.connected === false);
  await a.write(3);
  await b.write(1);
  const back = await startSite(2, roster, { listen: addresses }, { log: b.log, blobs: b.blobs });
  await until('both agree', () => agree([a, back]) && a.log.head(b.key.id).size === 3);
});

test('a site that lost its disk gets its own log back', async () => {
  const roster: TestRoster = { members: [] };
  const a = await startSite(1, roster);
  const b = await startSite(2, roster);
  await b.write(7);
  await until('a has them', () => a.log.head(b.key.id).size === 7);
  await b.network.stop();
  const restored = await startSite(2, roster);
  await until('its log is back', () => restored.log.head(b.key.id).size === 7);
});

test('both sides of a fork hold the proof, and so does one who only hears of it', async () => {
  const roster: TestRoster = { members: [] };
  const forker = testKey(50);
  roster.members.push({ site: forker.id, addresses: [] });
  const a = await startSite(1, roster);
  const b = await startSite(2, { members: [{ site: forker.id, addresses: [] }] });
  for (let i = 0; i < 5; i += 1) {
    const { last } = a.log.head(forker.id);
    const entry = signTestRecord(forker, i, last, `common ${i}`);
    await a.log.append(entry);
    await b.log.append(entry);
  }
  for (const site of [a, b]) {
    // From index 5 on each was told another story, of another length.
    for (let i = 5; i < (site === a ? 9 : 7); i += 1) {
      const { last } = site.log.head(forker.id);
      await site.log.append(signTestRecord(forker, i, last, `to ${site.key.id} ${i}`));
    }
  }
  roster.members.push({ site: b.key.id, addresses: b.network.addresses() });
  const c = await startSite(3, roster, { listen: [] });
  await b.network.stop();
  const again = await startSite(2, roster, {}, { log: b.log, blobs: b.blobs });
  await until('all three hold it', async () => {
    const proofs = await Promise.all([a, again, c].map(({ log }) => log.forks()));
    return proofs.every(([proof]) => proof?.author === forker.id && proof.index === 5);
  });
});

test('names a member that cannot be reached', async () => {
  const roster: TestRoster = {
    members: [{ site: testKey(9).id, addresses: ['/ip4/127.0.0.1/tcp/9'] }],
  };
  const a = await startSite(1, roster);
  await until('the failure is told', () => a.network.peers()[0]?.lastError !== null);
  expect(a.network.peers()[0]?.connected).toBe(false);
  expect(await a.network.sync()).toEqual({ peers: 0, failed: 0 });
});

test('an occupied port is a NetworkError that names the address', async () => {
  const a = await startSite(1, { members: [] });
  const [address = ''] = a.network.addresses();
  const second = startSite(2, { members: [] }, { listen: [address.replace(/\/p2p\/.*/, '')] });
  await expect(second).rejects.toThrow(
    expect.objectContaining({
      code: 'LISTEN_FAILED',
      message: expect.stringContaining('/ip4/127.0.0.1/tcp/'),
    }),
  );
  await expect(second).rejects.toBeInstanceOf(NetworkError);
});

test('every call but start and stop says that the network is not started', async () => {
  const a = await startSite(1, { members: [] });
  await a.network.stop();
  const notStarted = expect.objectContaining({ code: 'NOT_STARTED' });
  await expect(a.network.sync()).rejects.toThrow(notStarted);
  await expect(a.network.announce()).rejects.toThrow(notStarted);
  await expect(a.network.fetchBlob('00'.repeat(32), 1)).rejects.toThrow(notStarted);
  expect(a.network.addresses()).toEqual([]);
});
