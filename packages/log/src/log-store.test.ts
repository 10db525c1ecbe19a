import { MemoryLevel } from 'memory-level';
import { expect, test } from 'vitest';
import { type LogStore, openLogStore } from './log-store.ts';
import { readTestEntry, testChain, testEntry } from './test-entry.ts';
import { merkleRoot } from './tree.ts';

const all = { maxEntries: 1000, maxBytes: 1_000_000 };

async function openEmpty(): Promise<{ level: MemoryLevel; store: LogStore }> {
  const level = new MemoryLevel();
  return { level, store: await openLogStore(level, readTestEntry) };
}

async function appendAll(store: LogStore, entries: readonly Uint8Array[]): Promise<void> {
  for (const entry of entries) await store.append(entry);
}

test('keeps each author’s chain, its root and its last id', async () => {
  const { store } = await openEmpty();
  const [ann, bob] = [testChain('ann', 5), testChain('bob', 3)];
  await appendAll(store, bob);
  await appendAll(store, ann);
  const leaves = ann.map((entry) => readTestEntry(entry).leaf);
  expect(store.heads().map(({ author, size }) => [author, size])).toEqual([
    ['ann', 5],
    ['bob', 3],
  ]);
  expect(store.head('ann')).toEqual({
    author: 'ann',
    size: 5,
    root: merkleRoot(leaves),
    last: ann.map((entry) => readTestEntry(entry).id).at(-1),
  });
  expect(await store.read('ann', 0, all)).toEqual(ann);
});

test('is the same after it was opened again', async () => {
  const { level, store } = await openEmpty();
  await appendAll(store, testChain('ann', 9));
  const heads = store.heads();
  await store.close();
  const again = await openLogStore(level, readTestEntry);
  expect(again.heads()).toEqual(heads);
  expect(again.repairs).toEqual([]);
});

test('knows an author that never wrote as an empty log', async () => {
  const { store } = await openEmpty();
  expect(store.head('nobody')).toMatchObject({ author: 'nobody', size: 0, last: null });
  expect(await store.read('nobody', 0, all)).toEqual([]);
});

test('answers known for an entry that is there', async () => {
  const { store } = await openEmpty();
  const entries = testChain('ann', 3);
  await appendAll(store, entries);
  for (const [index, entry] of entries.entries()) {
    expect(await store.append(entry)).toEqual({ author: 'ann', index, status: 'known' });
  }
  expect(store.head('ann').size).toBe(3);
});

test('refuses an entry beyond the end', async () => {
  const { store } = await openEmpty();
  const entries = testChain('ann', 3);
  await appendAll(store, entries.slice(0, 1));
  await expect(store.append(entries[2] ?? new Uint8Array())).rejects.toMatchObject({ code: 'GAP' });
  expect(store.head('ann').size).toBe(1);
});

test('refuses an entry that does not follow the last', async () => {
  const { store } = await openEmpty();
  await appendAll(store, testChain('ann', 2));
  const stranger = testEntry('ann', 2, new Uint8Array(32).fill(1), 'x');
  await expect(store.append(stranger)).rejects.toMatchObject({ code: 'CHAIN' });
});

test.each([
  ['bytes that the reader refuses', new Uint8Array(80), 'ENTRY'],
  ['an author with a slash', testEntry('a/b', 0, null, 'x'), 'ENTRY'],
  ['an author without a name', testEntry('', 0, null, 'x'), 'ENTRY'],
  ['a negative index', testEntry('ann', -1, null, 'x'), 'ENTRY'],
  ['a fractional index', testEntry('ann', 0.5, null, 'x'), 'ENTRY'],
  ['an index of 2^32', testEntry('ann', 2 ** 32, new Uint8Array(32), 'x'), 'ENTRY'],
  ['a first entry with one before', testEntry('ann', 0, new Uint8Array(32), 'x'), 'CHAIN'],
  ['a later entry without one before', testEntry('ann', 1, null, 'x'), 'CHAIN'],
])('refuses %s', async (_, entry, code) => {
  const { store } = await openEmpty();
  await expect(store.append(entry)).rejects.toMatchObject({ code });
  expect(store.heads()).toEqual([]);
});

test('keeps one fork proof of an author, across a reopen, and goes on with the log', async () => {
  const { level, store } = await openEmpty();
  const entries = testChain('ann', 4);
  await appendAll(store, entries.slice(0, 3));
  const other = testEntry('ann', 0, null, 'other');
  const another = testEntry('ann', 0, null, 'another');
  expect(await store.append(other)).toEqual({ author: 'ann', index: 0, status: 'fork' });
  expect(await store.append(another)).toMatchObject({ status: 'fork' });
  await appendAll(store, entries.slice(3));
  const proof = { author: 'ann', index: 0, entries: [entries[0], other] };
  expect(await store.forks()).toEqual([proof]);
  const again = await openLogStore(level, readTestEntry);
  expect(await again.append(another)).toMatchObject({ status: 'fork' });
  expect(await again.forks()).toEqual([proof]);
  expect(again.head('ann').size).toBe(4);
});

test('keeps the proof of the lowest index, in whatever order forks are met, across a reopen', async () => {
  const { level, store } = await openEmpty();
  const entries = testChain('ann', 4);
  await appendAll(store, entries);
  const late = testEntry('ann', 2, readTestEntry(entries[1] as Uint8Array).id, 'late');
  const early = testEntry('ann', 1, readTestEntry(entries[0] as Uint8Array).id, 'early');
  await store.append(late);
  expect(await store.forks()).toMatchObject([{ index: 2 }]);
  const again = await openLogStore(level, readTestEntry);
  await again.append(early);
  expect(await again.append(late)).toMatchObject({ status: 'fork' });
  expect(await again.forks()).toEqual([{ author: 'ann', index: 1, entries: [entries[1], early] }]);
});

test('does appends of one author in the order of the calls', async () => {
  const { store } = await openEmpty();
  const entries = testChain('ann', 50);
  const results = await Promise.all(entries.map((entry) => store.append(entry)));
  expect(results.map(({ index }) => index)).toEqual(entries.map((_, i) => i));
  expect(await store.read('ann', 0, all)).toEqual(entries);
});

test('goes on after a refused append in the queue', async () => {
  const { store } = await openEmpty();
  const [first, second, third] = testChain('ann', 3);
  const results = await Promise.allSettled(
    [first, third, second].map((entry) => store.append(entry ?? new Uint8Array())),
  );
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('writes what was checked, not what the caller made of it later', async () => {
  const { store } = await openEmpty();
  const [entry] = testChain('ann', 1);
  const bytes = entry?.slice() ?? new Uint8Array();
  const append = store.append(bytes);
  bytes.fill(0);
  await append;
  expect(await store.read('ann', 0, all)).toEqual([entry]);
});

test('reads in pages, bounded in number and in bytes, and always gets on', async () => {
  const { store } = await openEmpty();
  const entries = testChain('ann', 6);
  await appendAll(store, entries);
  const size = entries[1]?.length ?? 0;
  expect(await store.read('ann', 2, { maxEntries: 3, maxBytes: 1e6 })).toEqual(entries.slice(2, 5));
  expect(await store.read('ann', 1, { maxEntries: 9, maxBytes: 2 * size })).toEqual(
    entries.slice(1, 3),
  );
  expect(await store.read('ann', 1, { maxEntries: 9, maxBytes: 0 })).toEqual(entries.slice(1, 2));
  expect(await store.read('ann', 1, { maxEntries: 0, maxBytes: 1e6 })).toEqual([]);
  expect(await store.read('ann', 6, all)).toEqual([]);
  await expect(store.read('ann', -1, all)).rejects.toThrow(RangeError);
});

test('tells listeners of what was appended, and of nothing else', async () => {
  const { store } = await openEmpty();
  const seen: [string, number][] = [];
  const stop = store.onAppend(({ author, index }) => seen.push([author, index]));
  const entries = testChain('ann', 3);
  await appendAll(store, entries.slice(0, 2));
  await store.append(entries[0] ?? new Uint8Array());
  await store.append(testEntry('ann', 0, null, 'other'));
  stop();
  await appendAll(store, entries.slice(2));
  expect(seen).toEqual([
    ['ann', 0],
    ['ann', 1],
  ]);
});

test('finishes running appends at close and refuses later calls', async () => {
  const { store } = await openEmpty();
  const [first, second] = testChain('ann', 2);
  const append = store.append(first ?? new Uint8Array());
  await store.close();
  expect(await append).toMatchObject({ status: 'appended' });
  const closed = { code: 'CLOSED' };
  await expect(store.append(second ?? new Uint8Array())).rejects.toMatchObject(closed);
  await expect(store.read('ann', 0, all)).rejects.toMatchObject(closed);
  await expect(store.forks()).rejects.toMatchObject(closed);
});
