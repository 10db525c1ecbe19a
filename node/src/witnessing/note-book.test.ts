import { PROTOCOL_LIMITS } from '@consilium/network';
import { expect, test } from 'vitest';
import { openCosigned } from './cosigned-checkpoint.ts';
import { mostClaims } from './note-book.ts';
import { checkpointOf, study, TestConsortium } from './witnessing-fixture.ts';

/** Four sites, of which the first has five records that all hold and two others have cosigned. */
async function watched(quorum = 2): Promise<TestConsortium> {
  const consortium = await new TestConsortium(4, quorum).open();
  await consortium.site(0).write(5);
  await witness(consortium, [1, 2]);
  return consortium;
}

/** Lets the first site's log, as it is, be cosigned by these. */
async function witness(consortium: TestConsortium, by: readonly number[]): Promise<void> {
  for (const n of by) await consortium.pullRecords(n, 0);
  const outsiders = [1, 2, 3].filter((n) => !by.includes(n)).map((n) => consortium.site(n).key.id);
  for (const id of outsiders) consortium.away.add(id);
  const stop = new AbortController();
  const { log, witnessing, key } = consortium.site(0);
  const { book } = witnessing.notes;
  const init = { quietMs: 1, retryBaseMs: 5, retryCapMs: 5 };
  const running = witnessing.keeper(consortium.networkOf(0), init).run(stop.signal);
  while (
    (book.newest(key.id)?.cosignatures.size ?? 0) < by.length ||
    book.newest(key.id)?.checkpoint.size !== log.head(key.id).size
  ) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  stop.abort();
  await running;
  for (const id of outsiders) consortium.away.delete(id);
}

test('keeps the newest checkpoint and the newest that is witnessed, over restarts', async () => {
  const consortium = await watched();
  const { key, level } = consortium.site(0);
  await consortium.site(0).write(2);
  await witness(consortium, [3]);
  const again = await consortium.start(0, { level });
  for (const { witnessing } of [consortium.site(0), again]) {
    const { book } = witnessing.notes;
    expect(book.newest(key.id)?.checkpoint.size).toBe(7);
    expect(book.witnessed(key.id)?.checkpoint.size).toBe(5);
    expect(book.claims().map(({ size, cosigned }) => [size, cosigned])).toEqual([
      [5, 2],
      [7, 1],
    ]);
  }
  await witness(consortium, [1]);
  const { book } = consortium.site(0).witnessing.notes;
  expect(book.claims().map(({ size, cosigned }) => [size, cosigned])).toEqual([[7, 2]]);
});

test('puts together what different members know of one checkpoint', async () => {
  const consortium = await watched(3);
  const { key } = consortium.site(0);
  await consortium.pull(3, 1);
  const { book } = consortium.site(3).witnessing.notes;
  expect(book.newest(key.id)?.cosignatures.size).toBe(1);
  expect(book.witnessed(key.id)).toBeNull();
  await consortium.pull(3, 2);
  expect(book.newest(key.id)?.cosignatures.size).toBe(2);
  await witness(consortium, [3]);
  await consortium.pull(3, 0);
  expect(book.witnessed(key.id)?.cosignatures.size).toBe(3);
  // The newest and the witnessed one are one, and written as one.
  expect(book.claims()).toHaveLength(1);
});

test('hands out what it claims, and nothing else', async () => {
  const consortium = await watched();
  const { key, witnessing } = consortium.site(0);
  const { book } = witnessing.notes;
  const members = consortium.keys.map(({ id }) => id);
  const note = book.note(key.id, 5) ?? new Uint8Array();
  expect(openCosigned(note, study, members).cosignatures.size).toBe(2);
  expect(book.note(key.id, 4)).toBeUndefined();
  expect(book.note(consortium.site(1).key.id, 5)).toBeUndefined();
});

test('a checkpoint that is damaged on disk, or was put under another site’s name, is left out', async () => {
  const consortium = await watched();
  const { key, level, notes } = consortium.site(0);
  const stored = await notes.entries();
  const [, bytes = new Uint8Array()] = stored.find(([name]) => name === `newest/${key.id}`) ?? [];
  await notes.put(`newest/${consortium.site(1).key.id}`, bytes);
  await notes.put(`newest/${key.id}`, bytes.slice(0, -3));
  const again = await consortium.start(0, { level });
  expect(again.witnessing.notes.book.newest(key.id)).toBeNull();
  expect(again.witnessing.notes.book.newest(consortium.site(1).key.id)).toBeNull();
  expect(again.witnessing.notes.book.witnessed(key.id)?.checkpoint.size).toBe(5);
  expect(again.lines).toMatchObject([{ level: 'warn', fields: { site: key.id } }]);
});

test('a shorter checkpoint, or one without anything new, changes nothing on disk', async () => {
  const consortium = await watched();
  const { key, witnessing, notes } = consortium.site(0);
  const { book } = witnessing.notes;
  const kept = book.newest(key.id);
  const before = await notes.entries();
  if (kept === null) throw new TypeError('there is a checkpoint');
  await book.keep({ ...kept, cosignatures: new Map() });
  expect(await notes.entries()).toEqual(before);
  expect(book.newest(key.id)).toBe(kept);
  const shorter = checkpointOf(key, await consortium.entriesOf(0), 4);
  await book.keep({ site: key.id, checkpoint: shorter, cosignatures: new Map() });
  expect(await notes.entries()).toEqual(before);
});

test('claims no more than the protocol lets it', () => {
  expect(mostClaims).toBe(PROTOCOL_LIMITS.noteClaims);
});
