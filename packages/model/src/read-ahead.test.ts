import { expect, test } from 'vitest';
import { readAhead } from './read-ahead.ts';

/** Gives its items and writes down when each is fetched; fails where an item is an error. */
async function* source(
  items: readonly (string | Error)[],
  diary: string[],
): AsyncGenerator<string> {
  try {
    for (const item of items) {
      diary.push(`fetch ${item instanceof Error ? 'error' : item}`);
      await new Promise((resolve) => setImmediate(resolve));
      if (item instanceof Error) {
        throw item;
      }
      yield item;
    }
  } finally {
    diary.push('closed');
  }
}

test('the next item is fetched while the caller is at the last, and no more than that', async () => {
  const diary: string[] = [];
  for await (const item of readAhead(source(['a', 'b', 'c'], diary))) {
    diary.push(`use ${item}`);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    diary.push(`used ${item}`);
  }
  expect(diary).toEqual([
    ...['fetch a', 'fetch b', 'use a', 'used a'],
    ...['fetch c', 'use b', 'used b', 'closed', 'use c', 'used c'],
  ]);
});

test('an error comes where its item would have', async () => {
  const diary: string[] = [];
  const used: string[] = [];
  const run = async (): Promise<void> => {
    for await (const item of readAhead(source(['a', new Error('torn'), 'c'], diary))) {
      used.push(item);
    }
  };
  await expect(run()).rejects.toThrow('torn');
  expect(used).toEqual(['a']);
  expect(diary.at(-1)).toBe('closed');
});

test('left early, it closes the source after the item under way', async () => {
  const diary: string[] = [];
  for await (const item of readAhead(source(['a', 'b', 'c'], diary))) {
    expect(item).toBe('a');
    break;
  }
  expect(diary).toEqual(['fetch a', 'fetch b', 'closed']);
});
