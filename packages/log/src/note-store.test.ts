import { MemoryLevel } from 'memory-level';
import { expect, test, vi } from 'vitest';
import { openNoteStore } from './note-store.ts';

const bytes = Uint8Array.of(1, 2, 3);

test('gives back what was put last under each name, also when it is opened again', async () => {
  const level = new MemoryLevel<string, string>();
  const store = openNoteStore(level);
  await store.put('b', bytes);
  await store.put('a', Uint8Array.of(9));
  await store.put('a', Uint8Array.of(7, 7));
  expect(await openNoteStore(level).entries()).toEqual([
    ['a', Uint8Array.of(7, 7)],
    ['b', bytes],
  ]);
  await store.remove('b');
  await store.remove('never there');
  expect(await store.entries()).toHaveLength(1);
});

test('shares a database with others', async () => {
  const level = new MemoryLevel<string, string>();
  await level.put('a', 'theirs');
  await openNoteStore(level).put('a', bytes);
  expect(await level.get('a')).toBe('theirs');
  expect(await openNoteStore(level.sublevel('other')).entries()).toEqual([]);
});

test('writes synced, and says by its own error when the database fails', async () => {
  const level = new MemoryLevel<string, string>();
  const put = vi.spyOn(level, 'put');
  const store = openNoteStore(level);
  await store.put('a', bytes);
  expect(put.mock.calls.map(([, , options]: unknown[]) => options)).toEqual([
    expect.objectContaining({ sync: true }),
  ]);
  put.mockRejectedValue(new Error('No space left on device'));
  await expect(store.put('a', bytes)).rejects.toMatchObject({ code: 'DISK_FULL' });
  await level.close();
  for (const act of [store.remove('a'), store.entries()]) {
    await expect(act).rejects.toMatchObject({ name: 'LogError', code: 'STORE' });
  }
});
