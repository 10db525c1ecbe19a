import { leafHash, merkleRoot, openLogStore } from '@consilium/log';
import { logPlaceOf, openRecord } from '@consilium/records';
import { MemoryLevel } from 'memory-level';
import { expect, test } from 'vitest';
import { createLogTrees } from './log-trees.ts';
import { story, testKey } from './witnessing-fixture.ts';

const key = testKey(1);
const entries = story(key, 11, 11, 'one');
const leaves = entries.map((entry) => openRecord(entry).leaf);

test('knows the root and the leaves at every size, as the log grows', async () => {
  const log = await openLogStore(new MemoryLevel(), logPlaceOf);
  const trees = createLogTrees(log);
  for (const [i, entry] of entries.entries()) {
    expect(await trees.rootAt(key.id, i + 1)).toBeUndefined();
    await log.append(entry);
    if (i % 3 !== 2) continue;
    // Many at once, and not in order.
    const sizes = [i, i + 1, 0, 2, i];
    const roots = await Promise.all(sizes.map((size) => trees.rootAt(key.id, size)));
    expect(roots).toEqual(sizes.map((size) => merkleRoot(leaves.slice(0, size))));
  }
  expect(await trees.leafHashes(key.id, 7)).toEqual(leaves.slice(0, 7).map(leafHash));
  expect(await trees.leafHashes(key.id, 12)).toBeUndefined();
  expect(await trees.rootAt(testKey(2).id, 1)).toBeUndefined();
  expect(await trees.rootAt(key.id, 11)).toEqual(log.head(key.id).root);
});

test('reads each record once', async () => {
  const log = await openLogStore(new MemoryLevel(), logPlaceOf);
  for (const entry of entries.slice(0, 5)) await log.append(entry);
  const reads: number[] = [];
  const trees = createLogTrees({
    head: log.head,
    read: (author, from, options) => {
      reads.push(from);
      return log.read(author, from, options);
    },
  });
  await Promise.all([5, 3, 5].map((size) => trees.rootAt(key.id, size)));
  await trees.rootAt(key.id, 4);
  await log.append(entries[5] as Uint8Array);
  await trees.leafHashes(key.id, 6);
  expect(reads).toEqual([0, 5]);
});

test('a log that cannot be read is told, and read again by the next who asks', async () => {
  const log = await openLogStore(new MemoryLevel(), logPlaceOf);
  await log.append(entries[0] as Uint8Array);
  let isBroken = true;
  const trees = createLogTrees({
    head: log.head,
    read: async (...asked) => {
      if (isBroken) throw new Error('the disk is gone');
      return log.read(...asked);
    },
  });
  await expect(trees.rootAt(key.id, 1)).rejects.toThrow('the disk is gone');
  isBroken = false;
  expect(await trees.rootAt(key.id, 1)).toEqual(merkleRoot(leaves.slice(0, 1)));
});
