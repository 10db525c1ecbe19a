import { MemoryLevel } from 'memory-level';
import { expect, test, vi } from 'vitest';
import { openLogStore } from './log-store.ts';
import { readTestEntry, testChain, testEntry } from './test-entry.ts';

/** The writes that reached the root database: their keys, and whether they were to be synced. */
function watchWrites(level: MemoryLevel) {
  const spy = vi.spyOn(level, 'batch');
  const writes = () =>
    spy.mock.calls.map((call: unknown[]) => {
      const [operations, options] = call;
      const keys = Array.from(Object(operations), (operation) =>
        Reflect.get(Object(operation), 'key'),
      );
      return { keys: keys.map(String), sync: Reflect.get(Object(options), 'sync') };
    });
  return { spy, writes };
}

const entries = testChain('ann', 4);
const [first, second, third, fourth] = entries as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];

test('asks the root database for a synced write of entry and head together', async () => {
  const level = new MemoryLevel();
  const { writes } = watchWrites(level);
  const store = await openLogStore(level, readTestEntry);
  await store.append(first);
  expect(writes()).toEqual([{ keys: ['!log!e/ann/00000000', '!log!h/ann'], sync: true }]);
});

test('does not sync where the caller can fetch the entry again', async () => {
  const level = new MemoryLevel();
  const { writes } = watchWrites(level);
  const store = await openLogStore(level, readTestEntry);
  await store.append(first, { sync: false });
  expect(writes().map(({ sync }) => sync)).toEqual([false]);
});

test('syncs a fork proof and every repair', async () => {
  const level = new MemoryLevel();
  const { spy, writes } = watchWrites(level);
  const store = await openLogStore(level, readTestEntry);
  for (const entry of entries) await store.append(entry, { sync: false });
  await store.append(testEntry('ann', 0, null, 'other'), { sync: false });
  const raw = level.sublevel<string, Uint8Array>('log', { valueEncoding: 'view' });
  await raw.put('e/ann/00000002', new Uint8Array());
  spy.mockClear();
  await openLogStore(level, readTestEntry);
  expect(writes().map(({ sync }) => sync)).toEqual([true, true, true]); // two entries put aside, one size on record
  spy.mockClear();
  await store.append(testEntry('ann', 1, new Uint8Array(32), 'other'));
  expect(writes()).toEqual([]);
});

test.each([
  ['LevelDB', new Error('IO error: /x/000005.log: No space left on device'), 'DISK_FULL'],
  ['Node', Object.assign(new Error('write'), { code: 'ENOSPC' }), 'DISK_FULL'],
  [
    'a wrapper',
    new Error('batch failed', { cause: Object.assign(new Error(), { code: 'EDQUOT' }) }),
    'DISK_FULL',
  ],
  ['anything else', new Error('Corruption: bad block'), 'STORE'],
])(
  'is unchanged by a write that failed, and goes on afterwards: said by %s',
  async (_, failure, code) => {
    const level = new MemoryLevel();
    const { spy } = watchWrites(level);
    const store = await openLogStore(level, readTestEntry);
    const seen: number[] = [];
    store.onAppend(({ index }) => seen.push(index));
    await store.append(first);
    const before = store.head('ann');
    spy.mockRejectedValue(failure);
    const results = await Promise.allSettled([store.append(second), store.append(third)]);
    expect(results).toMatchObject([{ reason: { code } }, { reason: { code: 'GAP' } }]);
    await expect(store.append(testEntry('ann', 0, null, 'x'))).rejects.toMatchObject({ code });
    expect(store.head('ann')).toEqual(before);
    spy.mockRestore();
    for (const entry of [second, third, fourth]) await store.append(entry);
    expect(await store.append(testEntry('ann', 0, null, 'x'))).toMatchObject({ status: 'fork' });
    expect(await store.forks()).toHaveLength(1);
    expect(seen).toEqual([0, 1, 2, 3]);
  },
);
