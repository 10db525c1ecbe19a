import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { agree, startSite, type TestRoster, testKey, until } from './test-sites.ts';

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

test('a blob of several chunks arrives whole', async () => {
  const roster: TestRoster = { members: [] };
  const a = await startSite(1, roster);
  const b = await startSite(2, roster);
  const bytes = randomBytes(3 * 1024 * 1024 + 17);
  const digest = await a.blobs.put(bytes);
  await b.network.fetchBlob(digest, bytes.length);
  expect(
    createHash('sha256')
      .update((await b.blobs.get(digest)) ?? '')
      .digest('hex'),
  ).toBe(digest);
});

test('names a member that cannot be reached', async () => {
  const roster: TestRoster = {
    members: [{ site: testKey(9).id, addresses: ['/ip4/127.0.0.1/tcp/9'] }],
  };
  const a = await startSite(1, roster);
  await until('the failure is told', () => a.network.peers()[0]?.lastError !== null);
  expect(a.network.peers()[0]?.connected).toBe(false);
});
