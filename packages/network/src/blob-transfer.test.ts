import { createHash, randomBytes } from 'node:crypto';
import { type BlobStore, openBlobStore } from '@consilium/log';
import { expect, test } from 'vitest';
import { startLink } from './test-links.ts';
import { silent, startSite, type TestRoster, type TestSite, until } from './test-sites.ts';

const CHUNK = 512 * 1024;

async function connected(site: TestSite, count: number): Promise<void> {
  await until(
    'connected',
    () => site.network.peers().filter((peer) => peer.connected).length === count,
  );
}

function sha256(bytes: Uint8Array | undefined): string {
  return createHash('sha256')
    .update(bytes ?? '')
    .digest('hex');
}

/** `blobs`, except that chunk `chunk` of every blob is damaged from reading number `fromReading` (0: always) on. */
function lying(blobs: BlobStore, chunk: number, fromReading: number): BlobStore {
  let readings = 0;
  return {
    ...blobs,
    readRange: async (digest, offset, length) => {
      const bytes = await blobs.readRange(digest, offset, length);
      if (bytes !== undefined && offset === chunk * CHUNK) {
        readings += 1;
        if (readings > fromReading) {
          bytes[3] = (bytes[3] ?? 0) ^ 1;
        }
      }
      return bytes;
    },
  };
}

test.each([0, 1, CHUNK, CHUNK + 1, 5 * CHUNK - 1])(
  'a blob of %i bytes arrives whole',
  async (size) => {
    const roster: TestRoster = { members: [] };
    const a = await startSite(1, roster);
    const b = await startSite(2, roster);
    await connected(b, 1);
    const bytes = randomBytes(size);
    const digest = await a.blobs.put(bytes);
    await b.network.fetchBlob(digest, size);
    expect(sha256(await b.blobs.get(digest))).toBe(digest);
  },
);

test('a transfer that was cut goes on where it stopped', async () => {
  const roster: TestRoster = { members: [] };
  const b = await startSite(2, roster, { timing: { blobRounds: 1_000 } });
  // a cannot dial b: the only way is the line.
  const a = await startSite(1, { members: [{ site: b.key.id, addresses: [] }] });
  const direct = await startLink(a.network.addresses()[0] ?? '');
  roster.members = [{ site: a.key.id, addresses: [direct.address] }];
  const size = 24 * CHUNK;
  const digest = await a.blobs.put(randomBytes(size));
  await connected(b, 1);
  direct.cutAfter(10 * CHUNK);
  const fetching = b.network.fetchBlob(digest, size);
  await until('the line is cut', () => b.network.peers()[0]?.connected === false);
  const before = (await b.blobs.partial(digest, size)).received;
  expect(before).toBeGreaterThan(4 * CHUNK);
  expect(before).toBeLessThan(11 * CHUNK);
  direct.heal();
  await fetching;
  expect(sha256(await b.blobs.get(digest))).toBe(digest);
  expect(direct.received()).toBeLessThan(size - before + 6 * CHUNK);
});

test('a transfer goes on after a restart of the site that fetches', async () => {
  const roster: TestRoster = { members: [] };
  const a = await startSite(1, roster);
  const size = 8 * CHUNK;
  const bytes = randomBytes(size);
  const digest = await a.blobs.put(bytes);
  const b = await startSite(2, roster);
  const interrupted = await b.blobs.partial(digest, size);
  // Not a whole number of chunks: what a crash leaves.
  await interrupted.write(bytes.subarray(0, 3 * CHUNK + 1000));
  const fetching = b.network.fetchBlob(digest, size);
  await b.network.stop();
  await expect(fetching).rejects.toThrow('the network was stopped');
  const back = await startSite(2, roster, {}, { blobs: await openBlobStore(b.folder) });
  expect((await back.blobs.partial(digest, size)).received).toBe(3 * CHUNK + 1000);
  await back.network.fetchBlob(digest, size);
  expect(sha256(await back.blobs.get(digest))).toBe(digest);
});

test('several sources deliver one blob together', async () => {
  const roster: TestRoster = { members: [] };
  const size = 16 * CHUNK;
  const bytes = randomBytes(size);
  const served = new Map<number, number>();
  // 16 readings each to make the list; more than that is a chunk delivered.
  const delivering = (): number => [...served.values()].filter((count) => count > 16).length;
  const several = Promise.withResolvers<void>();
  const sources: TestSite[] = [];
  for (const n of [1, 2, 3]) {
    const plain = await startSite(n + 10, { members: [] }, { listen: [] });
    const digest = await plain.blobs.put(bytes);
    const counting: BlobStore = {
      ...plain.blobs,
      readRange: async (name, offset, length) => {
        served.set(n, (served.get(n) ?? 0) + 1);
        if (delivering() > 1) several.resolve();
        // However fast one source is, it delivers four chunks before another has begun, and no fifth.
        if ((served.get(n) ?? 0) > 20) await several.promise;
        return plain.blobs.readRange(name, offset, length);
      },
    };
    sources.push(await startSite(n, roster, {}, { blobs: counting }));
    expect(digest).toBe(sha256(bytes));
  }
  const b = await startSite(4, roster);
  await connected(b, 3);
  await b.network.fetchBlob(sha256(bytes), size);
  expect(sha256(await b.blobs.get(sha256(bytes)))).toBe(sha256(bytes));
  expect(delivering()).toBeGreaterThan(1);
});

test.each([
  ['a chunk that is not the one it promised', 1],
  ['a list that does not lead to the blob', 0],
])('a peer that sends %s is found out, and another source is used', async (_, fromReading) => {
  const roster: TestRoster = { members: [] };
  const size = 6 * CHUNK;
  const bytes = randomBytes(size);
  const store = await startSite(11, { members: [] }, { listen: [] });
  await store.blobs.put(bytes);
  const liar = await startSite(1, roster, {}, { blobs: lying(store.blobs, 2, fromReading) });
  const told: unknown[] = [];
  const b = await startSite(
    2,
    roster,
    { timing: { blobRounds: 20 } },
    { logger: { ...silent, warn: (fields) => told.push(fields) } },
  );
  await connected(b, 1);
  const fetching = b.network.fetchBlob(sha256(bytes), size);
  await until('the lie is told', () => told.length > 0);
  expect(told[0]).toMatchObject({ site: liar.key.id, code: 'BLOB_MISMATCH' });
  expect(await b.blobs.has(sha256(bytes))).toBe(false);
  await startSite(3, roster, {}, { blobs: store.blobs });
  await fetching;
  expect(sha256(await b.blobs.get(sha256(bytes)))).toBe(sha256(bytes));
  expect(b.network.peers().find(({ site }) => site === liar.key.id)?.banned).toBe(false);
});

test('a peer that promises another size is not believed', async () => {
  const roster: TestRoster = { members: [] };
  const a = await startSite(1, roster);
  const told: unknown[] = [];
  const b = await startSite(
    2,
    roster,
    { timing: { blobRounds: 2 } },
    { logger: { ...silent, warn: (fields) => told.push(fields) } },
  );
  await until('gossip runs', () => b.network.peers()[0]?.gossip === true);
  const digest = await a.blobs.put(randomBytes(1000));
  await expect(b.network.fetchBlob(digest, 999)).rejects.toThrow(
    expect.objectContaining({ code: 'BLOB_UNAVAILABLE' }),
  );
  expect(told).toMatchObject([{ error: 'a blob of 999 bytes, offered as 1000' }]);
});

test('a peer that stops answering is left for another one', async () => {
  const roster: TestRoster = { members: [] };
  const size = 6 * CHUNK;
  const bytes = randomBytes(size);
  const store = await startSite(11, { members: [] }, { listen: [] });
  await store.blobs.put(bytes);
  let readings = 0;
  const released = Promise.withResolvers<undefined>();
  const stalling: BlobStore = {
    ...store.blobs,
    readRange: async (digest, offset, length) => {
      readings += 1;
      return readings > 7 ? released.promise : store.blobs.readRange(digest, offset, length);
    },
  };
  await startSite(1, roster, {}, { blobs: stalling });
  const b = await startSite(2, roster, { timing: { requestTimeoutMs: 300, blobRounds: 20 } });
  await connected(b, 1);
  const fetching = b.network.fetchBlob(sha256(bytes), size);
  await until('it stalls', () => readings > 7);
  await startSite(3, roster, {}, { blobs: store.blobs });
  await fetching;
  expect(sha256(await b.blobs.get(sha256(bytes)))).toBe(sha256(bytes));
  released.resolve(undefined);
});

test('callers share one fetch, and one of them may leave', async () => {
  const roster: TestRoster = { members: [] };
  const a = await startSite(1, roster);
  const b = await startSite(2, roster);
  await connected(b, 1);
  const bytes = randomBytes(4 * CHUNK);
  const digest = await a.blobs.put(bytes);
  const leaving = new AbortController();
  const first = b.network.fetchBlob(digest, bytes.length, { signal: leaving.signal });
  const second = b.network.fetchBlob(digest, bytes.length);
  leaving.abort(new Error('changed my mind'));
  await expect(first).rejects.toThrow('changed my mind');
  await second;
  expect(await b.blobs.has(digest)).toBe(true);
});

test('a blob that nobody has is given up, and an oversized one is refused at once', async () => {
  const roster: TestRoster = { members: [] };
  await startSite(1, roster);
  const b = await startSite(2, roster, { timing: { blobRounds: 2 } });
  await connected(b, 1);
  await expect(b.network.fetchBlob('ab'.repeat(32), 10)).rejects.toThrow(
    expect.objectContaining({ code: 'BLOB_UNAVAILABLE' }),
  );
  await expect(b.network.fetchBlob('ab'.repeat(32), 2 ** 28 + 1)).rejects.toThrow(
    expect.objectContaining({ code: 'BLOB_TOO_LARGE' }),
  );
  await expect(b.network.fetchBlob('ab'.repeat(32), -1)).rejects.toThrow(RangeError);
});
