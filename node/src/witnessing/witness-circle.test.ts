import type { RosterEntry } from '@consilium/records';
import type { RosterHistory } from '@consilium/study';
import { expect, test } from 'vitest';
import { witnessCircle } from './witness-circle.ts';

const roster: RosterEntry[] = ['a', 'b', 'c', 'd'].map((site) => ({
  site,
  name: `hospital ${site}`,
  role: 'trainer',
  patients: 20,
  addresses: [],
}));

/** Members by name, each with the keys that have spoken for it; the last one speaks unless the member was removed. */
function history(
  members: readonly { name: string; keys: readonly string[]; isRemoved?: boolean }[],
): RosterHistory {
  const speeches = members.map(({ name, keys, isRemoved = false }) => ({
    member: {
      name,
      spans: keys.map((key, i) => ({ key, until: isRemoved || i < keys.length - 1 ? 9 : null })),
    },
    voices: keys.map((key) => ({ key })),
  }));
  return { speeches } as unknown as RosterHistory;
}

test('before more is known, the manifest’s sites watch each other', () => {
  const circle = witnessCircle({ roster, witnesses: { quorum: 2 } }, () => null);
  expect(circle.authors()).toEqual(['a', 'b', 'c', 'd']);
  expect(circle.witnessesOf('b').map(({ site }) => site)).toEqual(['a', 'c', 'd']);
  expect(circle.quorumOf('b')).toBe(2);
  expect(circle.nameOf('c')).toBe('hospital c');
  expect(circle.nameOf('stranger')).toBe('stranger');
});

test('members are those of now, each by the key that speaks for it; logs of all keys are watched', () => {
  let now = history([
    { name: 'a', keys: ['a'] },
    { name: 'b', keys: ['b'] },
  ]);
  const circle = witnessCircle({ roster, witnesses: { quorum: 3 } }, () => now);
  expect(circle.witnessesOf('a')).toEqual([{ site: 'b', name: 'b' }]);
  expect(circle.quorumOf('a')).toBe(1); // all the others, where there are fewer
  now = history([
    { name: 'a', keys: ['a', 'a2', 'a3'] },
    { name: 'b', keys: ['b'], isRemoved: true },
    { name: 'c', keys: ['c', 'c2'] },
    { name: 'e', keys: ['e'] },
  ]);
  expect(circle.authors()).toEqual(['a', 'a2', 'a3', 'b', 'c', 'c2', 'e']);
  expect(circle.speakers()).toEqual(['a3', 'c2', 'e']);
  // Nobody watches a log that one of its own keys wrote, and nobody who was removed watches.
  for (const key of ['a', 'a2', 'a3']) {
    expect(circle.witnessesOf(key).map(({ site }) => site)).toEqual(['c2', 'e']);
    expect(circle.nameOf(key)).toBe('a');
  }
  expect(circle.witnessesOf('b').map(({ site }) => site)).toEqual(['a3', 'c2', 'e']);
  expect(circle.quorumOf('b')).toBe(3);
});
