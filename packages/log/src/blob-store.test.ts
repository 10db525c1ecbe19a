import { createHash } from 'node:crypto';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openBlobStore } from './blob-store.ts';

let folder = '';

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'consilium-blobs-')), 'store');
});

afterEach(async () => {
  await rm(join(folder, '..'), { recursive: true });
});

function blob(length: number, start = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => start + i * 7);
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function fileOf(digest: string): string {
  return join(folder, 'blobs', digest.slice(0, 2), digest);
}

test.each([0, 1, 100_000])('gives back a blob of %s bytes, also after a reopen', async (length) => {
  const bytes = blob(length);
  const digest = await (await openBlobStore(folder)).put(bytes);
  expect(digest).toBe(digestOf(bytes));
  const again = await openBlobStore(folder);
  expect(await again.has(digest)).toBe(true);
  expect(await again.size(digest)).toBe(length);
  expect(await again.get(digest)).toEqual(bytes);
  expect(await again.readRange(digest, 0, length)).toEqual(bytes);
});

test('does not have what nobody put', async () => {
  const store = await openBlobStore(folder);
  const digest = digestOf(blob(3));
  expect(await store.has(digest)).toBe(false);
  expect(await store.size(digest)).toBeUndefined();
  expect(await store.get(digest)).toBeUndefined();
  expect(await store.readRange(digest, 0, 1)).toBeUndefined();
});

test.each([
  '',
  'abc',
  '../../etc/passwd',
  `${'a'.repeat(63)}A`,
  `../${'a'.repeat(61)}`,
  `${'a'.repeat(64)}\n`,
])('refuses %j for a digest, everywhere', async (digest) => {
  const store = await openBlobStore(folder);
  const refusal = { code: 'DIGEST_FORMAT' };
  await expect(store.has(digest)).rejects.toMatchObject(refusal);
  await expect(store.size(digest)).rejects.toMatchObject(refusal);
  await expect(store.get(digest)).rejects.toMatchObject(refusal);
  await expect(store.readRange(digest, 0, 1)).rejects.toMatchObject(refusal);
  await expect(store.partial(digest, 1)).rejects.toMatchObject(refusal);
});

test('reads ranges as slice() would, and nothing beyond the end', async () => {
  const store = await openBlobStore(folder);
  const bytes = blob(1000);
  const digest = await store.put(bytes);
  await fc.assert(
    fc.asyncProperty(fc.nat(1200), fc.nat(1200), async (offset, length) => {
      expect(await store.readRange(digest, offset, length)).toEqual(
        bytes.slice(offset, offset + length),
      );
    }),
    { seed: 4, numRuns: 100 },
  );
});

test.each([-1, 0.5, Number.NaN, 2 ** 53])('refuses %s as offset, length and size', async (n) => {
  const store = await openBlobStore(folder);
  const digest = await store.put(blob(5));
  await expect(store.readRange(digest, n, 1)).rejects.toThrow(RangeError);
  await expect(store.readRange(digest, 0, n)).rejects.toThrow(RangeError);
  await expect(store.partial(digest, n)).rejects.toThrow(RangeError);
});

test('keeps files in folders of their first two digits, readable by the owner only', async () => {
  const digest = await (await openBlobStore(folder)).put(blob(9));
  expect((await stat(fileOf(digest))).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder, 'blobs', digest.slice(0, 2)))).mode & 0o777).toBe(0o700);
  expect(await readdir(join(folder, 'temporary'))).toEqual([]);
});

test('lets many put the same and different blobs at once', async () => {
  const store = await openBlobStore(folder);
  const blobs = [1, 2, 3, 1, 2, 3, 1, 2, 3].map((n) => blob(50_000, n));
  const digests = await Promise.all(blobs.map((bytes) => store.put(bytes)));
  for (const [i, digest] of digests.entries()) expect(await store.get(digest)).toEqual(blobs[i]);
  expect(await readdir(join(folder, 'temporary'))).toEqual([]);
});

async function changeByte(path: string): Promise<void> {
  await writeFile(path, (await readFile(path)).fill(0, 500, 501));
  await utimes(path, 1, 1); // two writes within one tick of the file system's clock would look alike
}

test('is not there before it is there whole', async () => {
  const store = await openBlobStore(folder);
  const bytes = blob(20_000_000);
  const digest = digestOf(bytes);
  let pending = true;
  const put = store.put(bytes).finally(() => {
    pending = false;
  });
  let looks = 0;
  for (; pending; looks += 1) {
    if (await store.has(digest)) expect(await store.size(digest)).toBe(bytes.length);
  }
  await put;
  expect(looks).toBeGreaterThan(10);
  expect(await store.has(digest)).toBe(true);
});

test('keeps a blob that is put while others find the old file damaged', async () => {
  const store = await openBlobStore(folder);
  const bytes = blob(300_000);
  const digest = await store.put(bytes);
  for (let round = 0; round < 20; round += 1) {
    await truncate(fileOf(digest), 1000 + round);
    const reads = Array.from({ length: 4 }, () => [
      store.get(digest),
      store.readRange(digest, 0, 9),
    ]);
    await Promise.all([...reads.flat(), store.put(bytes), ...reads.flat()]);
    expect(await store.get(digest)).toEqual(bytes);
  }
});

const damages: [string, (path: string) => Promise<void>][] = [
  ['a changed byte', changeByte],
  ['a missing end', (path) => truncate(path, 999)],
  ['bytes too many', (path) => writeFile(path, blob(1001))],
  ['nothing in it', (path) => truncate(path, 0)],
];

test.each(damages)('puts a file with %s aside and reports it missing', async (_, damage) => {
  const digest = await (await openBlobStore(folder)).put(blob(1000));
  await damage(fileOf(digest));
  const store = await openBlobStore(folder);
  expect(await store.get(digest)).toBeUndefined();
  expect(await store.has(digest)).toBe(false);
  expect(await readdir(join(folder, 'damaged'))).toEqual([digest]);
});

test.each(damages)(
  'gives out no range of a file with %s, even after good ones',
  async (_, damage) => {
    const store = await openBlobStore(folder);
    const digest = await store.put(blob(1000));
    expect(await store.readRange(digest, 0, 10)).toEqual(blob(10));
    await damage(fileOf(digest));
    expect(await store.readRange(digest, 0, 10)).toBeUndefined();
    expect(await store.has(digest)).toBe(false);
  },
);

test.each(damages)('replaces a file with %s when the blob is put again', async (_, damage) => {
  const store = await openBlobStore(folder);
  const digest = await store.put(blob(1000));
  await damage(fileOf(digest));
  await store.put(blob(1000));
  expect(await store.get(digest)).toEqual(blob(1000));
  expect(await store.readRange(digest, 990, 100)).toEqual(blob(1000).slice(990));
});

test('removes what a crash left in the temporary folder', async () => {
  await mkdir(join(folder, 'temporary'), { recursive: true });
  await writeFile(join(folder, 'temporary', '1'), blob(10));
  await openBlobStore(folder);
  expect(await readdir(join(folder, 'temporary'))).toEqual([]);
});

test('fetches in pieces, resumes after a reopen, and serves nothing before the commit', async () => {
  const bytes = blob(10_000);
  const digest = digestOf(bytes);
  const first = await openBlobStore(folder);
  const partial = await first.partial(digest, bytes.length);
  await partial.write(bytes.slice(0, 4000));
  expect(partial.received).toBe(4000);
  const store = await openBlobStore(folder);
  const resumed = await store.partial(digest, bytes.length);
  expect(resumed.received).toBe(4000);
  await resumed.write(bytes.slice(4000));
  expect(await store.has(digest)).toBe(false);
  expect(await store.readRange(digest, 0, 10)).toBeUndefined();
  await resumed.commit();
  expect(await store.get(digest)).toEqual(bytes);
  expect(await readdir(join(folder, 'partial'))).toEqual([]);
  await expect(resumed.commit()).resolves.toBeUndefined();
  await resumed.discard();
  expect(await store.has(digest)).toBe(true);
});

test('is the same partial for everybody while it runs, and keeps the order of writes', async () => {
  const bytes = blob(1000);
  const store = await openBlobStore(folder);
  const digest = digestOf(bytes);
  const [a, b] = await Promise.all([store.partial(digest, 1000), store.partial(digest, 1000)]);
  expect(a).toBe(b);
  const writes = Array.from({ length: 10 }, (_, i) => a.write(bytes.slice(i * 100, i * 100 + 100)));
  await Promise.all([...writes, b.commit()]);
  expect(await store.get(digest)).toEqual(bytes);
});

test('drops bytes that are not the blob’s, and starts from nothing', async () => {
  const bytes = blob(1000);
  const digest = digestOf(bytes);
  const store = await openBlobStore(folder);
  const partial = await store.partial(digest, 1000);
  await partial.write(blob(1000, 2));
  await expect(partial.commit()).rejects.toMatchObject({ code: 'BLOB_DIGEST' });
  expect(partial.received).toBe(0);
  expect(await store.has(digest)).toBe(false);
  const again = await store.partial(digest, 1000);
  expect(again.received).toBe(0);
  await again.write(bytes);
  await again.commit();
  expect(await store.get(digest)).toEqual(bytes);
});

test('refuses bytes beyond the promised size and a commit before it', async () => {
  const bytes = blob(100);
  const partial = await (await openBlobStore(folder)).partial(digestOf(bytes), 100);
  await partial.write(bytes.slice(0, 60));
  await expect(partial.write(bytes)).rejects.toMatchObject({ code: 'BLOB_SIZE' });
  await expect(partial.commit()).rejects.toMatchObject({ code: 'BLOB_SIZE' });
  expect(partial.received).toBe(60);
  await partial.write(bytes.slice(60));
  await partial.commit();
});

test('has nothing left after a discard', async () => {
  const store = await openBlobStore(folder);
  const digest = digestOf(blob(100));
  const partial = await store.partial(digest, 100);
  await partial.write(blob(50));
  await partial.discard();
  expect(await readdir(join(folder, 'partial'))).toEqual([]);
  expect((await store.partial(digest, 100)).received).toBe(0);
});

test('is complete from the start for a blob that is here', async () => {
  const store = await openBlobStore(folder);
  const digest = await store.put(blob(100));
  const partial = await store.partial(digest, 100);
  expect(partial.received).toBe(100);
  await expect(partial.write(blob(1))).rejects.toMatchObject({ code: 'BLOB_SIZE' });
  await partial.commit();
  await partial.discard();
  expect(await store.get(digest)).toEqual(blob(100));
});

test('fetches an empty blob', async () => {
  const store = await openBlobStore(folder);
  const digest = digestOf(blob(0));
  await (await store.partial(digest, 0)).commit();
  expect(await store.get(digest)).toEqual(blob(0));
});

test('drops a leftover that is longer than the blob', async () => {
  const digest = digestOf(blob(10));
  const store = await openBlobStore(folder);
  await writeFile(join(folder, 'partial', `${digest}.10`), blob(11));
  expect((await store.partial(digest, 10)).received).toBe(0);
});

test('says STORE when the folder cannot be used', async () => {
  await mkdir(join(folder, '..'), { recursive: true });
  await writeFile(folder, 'a file where the folder should be');
  await expect(openBlobStore(folder)).rejects.toMatchObject({ code: 'STORE' });
});
