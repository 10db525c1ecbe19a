import fc from 'fast-check';
import { MemoryLevel } from 'memory-level';
import { expect, test } from 'vitest';
import { LogError } from './error.ts';
import { type LogStore, openLogStore } from './log-store.ts';
import { readTestEntry, testChain, testEntry } from './test-entry.ts';

const all = { maxEntries: 1000, maxBytes: 1_000_000 };
const entries = testChain('ann', 8);

type Raw = ReturnType<typeof rawLog>;

/** The log's own sublevel, to damage it from outside. */
function rawLog(level: MemoryLevel) {
  return level.sublevel<string, Uint8Array>('log', { keyEncoding: 'utf8', valueEncoding: 'view' });
}

const keyOf = (index: number): string => `e/ann/0000000${index}`;

async function filled(count = entries.length): Promise<{ level: MemoryLevel; raw: Raw }> {
  const level = new MemoryLevel();
  const store = await openLogStore(level, readTestEntry);
  for (const entry of entries.slice(0, count)) await store.append(entry);
  await store.close();
  return { level, raw: rawLog(level) };
}

async function refill(store: LogStore): Promise<void> {
  for (const entry of entries.slice(store.head('ann').size)) await store.append(entry);
}

const damages: [string, (raw: Raw) => Promise<void>, number][] = [
  ['the last entry missing', (raw) => raw.del(keyOf(7)), 7],
  ['an entry in the middle missing', (raw) => raw.del(keyOf(3)), 3],
  ['the first entry missing', (raw) => raw.del(keyOf(0)), 0],
  ['a flipped bit', (raw) => raw.put(keyOf(5), flipped(entries[5])), 5],
  ['an entry cut short', (raw) => raw.put(keyOf(2), (entries[2] ?? empty).subarray(0, 90)), 2],
  ['an empty value', (raw) => raw.put(keyOf(6), empty), 6],
  ['two entries swapped', (raw) => raw.put(keyOf(4), entries[5] ?? empty), 4],
  ['an entry of another author', (raw) => raw.put(keyOf(0), testEntry('bob', 0, null, 'x')), 0],
  ['a valid entry off the chain', (raw) => raw.put(keyOf(4), stranger(4)), 4],
];
const empty = new Uint8Array();

function flipped(entry: Uint8Array = empty): Uint8Array {
  return entry.map((byte, i) => (i === 100 ? byte ^ 4 : byte));
}

function stranger(index: number): Uint8Array {
  return testEntry('ann', index, new Uint8Array(32).fill(7), 'stranger');
}

test.each(damages)('cuts back to the good prefix and says so: %s', async (_, damage, good) => {
  const { level, raw } = await filled();
  await damage(raw);
  const store = await openLogStore(level, readTestEntry);
  expect(store.head('ann').size).toBe(good);
  expect(store.repairs).toMatchObject([{ author: 'ann', sizeBefore: 8, sizeAfter: good }]);
  expect(await store.read('ann', 0, all)).toEqual(entries.slice(0, good));
});

test.each(damages)('is whole again once refilled: %s', async (_, damage) => {
  const { level, raw } = await filled();
  await damage(raw);
  await refill(await openLogStore(level, readTestEntry));
  const again = await openLogStore(level, readTestEntry);
  expect(again.repairs).toEqual([]);
  expect(await again.read('ann', 0, all)).toEqual(entries);
});

test('reports a loss at every open until the log is as long as it was', async () => {
  const { level, raw } = await filled();
  for (const index of [5, 6, 7]) await raw.del(keyOf(index));
  for (const size of [5, 6, 7]) {
    const store = await openLogStore(level, readTestEntry);
    expect(store.repairs).toMatchObject([{ sizeBefore: 8, sizeAfter: size }]);
    await store.append(entries[size] ?? empty);
  }
  expect((await openLogStore(level, readTestEntry)).repairs).toEqual([]);
});

test('puts back what lay beyond the hole, once the hole is filled', async () => {
  const { level, raw } = await filled();
  await raw.put(keyOf(3), flipped(entries[3]));
  const store = await openLogStore(level, readTestEntry);
  await store.append(entries[3] ?? empty);
  expect(store.head('ann').size).toBe(4);
  const again = await openLogStore(level, readTestEntry);
  expect(again.head('ann').size).toBe(8);
  expect(again.repairs).toEqual([]);
});

test('loses nothing to a reader that wrongly refused everything', async () => {
  const { level } = await filled();
  const store = await openLogStore(level, () => {
    throw new Error('a faulty release');
  });
  expect(store.repairs).toMatchObject([{ sizeBefore: 8, sizeAfter: 0 }]);
  const mended = await openLogStore(level, readTestEntry);
  expect(await mended.read('ann', 0, all)).toEqual(entries);
});

test('does not put back what no longer follows', async () => {
  const { level, raw } = await filled(3);
  await raw.del(keyOf(1));
  const store = await openLogStore(level, readTestEntry);
  const other = testEntry('ann', 1, store.head('ann').last, 'other');
  await store.append(other);
  const again = await openLogStore(level, readTestEntry);
  expect(await again.read('ann', 0, all)).toEqual([entries[0], other]);
});

test.each([
  ['missing', (raw: Raw) => raw.del('h/ann')],
  ['damaged', (raw: Raw) => raw.put('h/ann', Uint8Array.of(1, 2, 3))],
])('reports a record of the size that is %s, and mends it', async (_, damage) => {
  const { level, raw } = await filled();
  await damage(raw);
  const store = await openLogStore(level, readTestEntry);
  expect(store.repairs).toMatchObject([{ sizeBefore: 8, sizeAfter: 8 }]);
  expect((await openLogStore(level, readTestEntry)).repairs).toEqual([]);
});

test('reports that the last entry became another valid one', async () => {
  const { level, raw } = await filled(2);
  const first = entries[0] ?? empty;
  await raw.put(keyOf(1), testEntry('ann', 1, readTestEntry(first).id, 'other'));
  const store = await openLogStore(level, readTestEntry);
  expect(store.repairs).toMatchObject([{ sizeBefore: 2, sizeAfter: 2 }]);
});

test('forgets a fork proof that no longer proves anything, and keeps the next', async () => {
  const { level, raw } = await filled();
  const other = testEntry('ann', 0, null, 'other');
  await (await openLogStore(level, readTestEntry)).append(other);
  await raw.put('f/ann', Uint8Array.of(0, 0, 0, 1, 2, 3));
  const store = await openLogStore(level, readTestEntry);
  expect(await store.forks()).toEqual([]);
  await store.append(other);
  expect(await store.forks()).toMatchObject([{ author: 'ann', index: 0 }]);
});

test('ignores keys that are not its own', async () => {
  const { level, raw } = await filled();
  await raw.put('e/ann/xyz', empty);
  await raw.put('e/a b/00000000', empty);
  await raw.put('zzz', empty);
  expect((await openLogStore(level, readTestEntry)).repairs).toEqual([]);
});

test('passes on what the reader throws beside refusals only as a refusal', async () => {
  const { level } = await filled(0);
  const store = await openLogStore(level, () => {
    throw new TypeError('bug');
  });
  await expect(store.append(empty)).rejects.toBeInstanceOf(LogError);
});

/** What the log must do, in the simplest way. */
type Step =
  | { do: 'append'; author: number; ahead: number }
  | { do: 'fork'; author: number }
  | { do: 'reopen' }
  | { do: 'damage'; author: number; at: number; how: 'del' | 'flip' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      author: fc.nat(2),
      ahead: fc.constantFrom(0, 0, 0, 0, 1, -1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fork' as const), author: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('damage' as const),
      author: fc.nat(2),
      at: fc.nat(20),
      how: fc.constantFrom('del' as const, 'flip' as const),
    }),
  },
);

test('follows a simple model through any run of appends, forks, damage and reopening', async () => {
  const chains = ['ann', 'bob', 'cy'].map((author) => testChain(author, 40));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const level = new MemoryLevel();
      const raw = rawLog(level);
      let store = await openLogStore(level, readTestEntry);
      const sizes = [0, 0, 0];
      const longest = [0, 0, 0];
      const forked = new Set<string>();
      for (const move of steps) {
        if (move.do === 'reopen') {
          await store.close();
          store = await openLogStore(level, readTestEntry);
        } else if (move.do === 'append') {
          const size = sizes[move.author] ?? 0;
          const index = Math.max(0, size + move.ahead);
          const result = store.append(chains[move.author]?.[index] ?? empty);
          if (index > size) {
            await expect(result).rejects.toMatchObject({ code: 'GAP' });
          } else {
            expect((await result).status).toBe(index === size ? 'appended' : 'known');
            sizes[move.author] = Math.max(size, index + 1);
            longest[move.author] = Math.max(longest[move.author] ?? 0, index + 1);
          }
        } else if (move.do === 'fork') {
          if ((sizes[move.author] ?? 0) === 0) continue;
          const author = ['ann', 'bob', 'cy'][move.author] ?? '';
          expect((await store.append(testEntry(author, 0, null, 'other'))).status).toBe('fork');
          forked.add(author);
        } else {
          const size = sizes[move.author] ?? 0;
          if (size === 0) continue;
          const author = ['ann', 'bob', 'cy'][move.author] ?? '';
          const at = move.at % size;
          const key = `e/${author}/${at.toString(16).padStart(8, '0')}`;
          await store.close();
          const entry = (await raw.get(key)) ?? empty;
          await (move.how === 'del' ? raw.del(key) : raw.put(key, flipped(new Uint8Array(entry))));
          store = await openLogStore(level, readTestEntry);
          expect(store.repairs).toContainEqual(
            expect.objectContaining({ author, sizeBefore: longest[move.author], sizeAfter: at }),
          );
          sizes[move.author] = at;
        }
        for (const [i, author] of ['ann', 'bob', 'cy'].entries()) {
          // A reopen may put back what lay aside: never less than the model, never anything else.
          const size = store.head(author).size;
          expect(size).toBeGreaterThanOrEqual(sizes[i] ?? 0);
          expect(size).toBeLessThanOrEqual(longest[i] ?? 0);
          sizes[i] = size;
          expect(await store.read(author, 0, all)).toEqual(chains[i]?.slice(0, size));
        }
        expect((await store.forks()).map(({ author }) => author)).toEqual([...forked].sort());
      }
    }),
    { seed: 20, numRuns: 150 },
  );
});
