import { MemoryLevel } from 'memory-level';
import { expect, test, vi } from 'vitest';
import { openWitnessStore } from './witness-store.ts';

const [first, second] = [Uint8Array.of(1, 2), Uint8Array.of(3)];

test('gives back what was put last for each log, after it was opened again as well', async () => {
  const level = new MemoryLevel();
  const store = openWitnessStore(level);
  expect(await store.get('a.example')).toBeUndefined();
  await store.put('a.example', second);
  await store.put('a.example', first);
  await store.put('ünicode + spaces/!', second);
  for (const opened of [store, openWitnessStore(level)]) {
    const read = await opened.get('a.example');
    expect(read).toEqual(first);
    expect(Buffer.isBuffer(read)).toBe(false); // as its type says, and safe to keep
    expect(await opened.get('ünicode + spaces/!')).toEqual(second);
    expect(await opened.get('a.exampl')).toBeUndefined();
  }
});

test('asks the root database for a synced write', async () => {
  const level = new MemoryLevel();
  const spy = vi.spyOn(level, 'put');
  await openWitnessStore(level).put('a.example', first);
  const calls = spy.mock.calls.map(([key, , options]: unknown[]) => ({
    key: String(key),
    sync: Reflect.get(Object(options), 'sync'),
  }));
  expect(calls).toEqual([{ key: '!witness!a.example', sync: true }]);
});

test.each([
  ['No space left on device', 'DISK_FULL'],
  ['Corruption: bad block', 'STORE'],
])('says what failed: %s', async (message, code) => {
  const level = new MemoryLevel();
  vi.spyOn(level, 'put').mockRejectedValue(new Error(message));
  vi.spyOn(level, 'get').mockRejectedValue(new Error(message));
  const store = openWitnessStore(level);
  await expect(store.put('a.example', first)).rejects.toMatchObject({ code });
  await expect(store.get('a.example')).rejects.toMatchObject({ code });
});
