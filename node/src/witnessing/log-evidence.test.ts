import {
  encodeCheckpoint,
  formatTlogProof,
  inclusionProof,
  leafHash,
  parseNote,
  parseTlogProof,
} from '@consilium/log';
import { openRecord, signRecord } from '@consilium/records';
import { beforeAll, expect, test } from 'vitest';
import { LogEvidence } from './log-evidence.ts';
import { type Believed, provenRecord } from './proven-record.ts';
import { checkpointOf, study, TestConsortium, testKey } from './witnessing-fixture.ts';

let consortium: TestConsortium;
let evidence: LogEvidence;
const author = testKey(0).id;

/** Six records, of which the first five are witnessed by both others. */
beforeAll(async () => {
  consortium = await new TestConsortium(3, 2).open();
  await consortium.site(0).write(5);
  for (const n of [1, 2]) await consortium.pullRecords(n, 0);
  const { witnessing, log } = consortium.site(0);
  const stop = new AbortController();
  const init = { quietMs: 1, retryBaseMs: 2, retryCapMs: 2 };
  const running = witnessing.keeper(consortium.networkOf(0), init).run(stop.signal);
  while (witnessing.notes.book.witnessed(author) === null) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  stop.abort();
  await running;
  await consortium.site(0).write(1);
  evidence = new LogEvidence({ ...witnessing.notes, study, log });
});

function believed(change: Partial<Believed> = {}): Believed {
  const { circle } = consortium.site(0).witnessing.notes;
  return { study, witnessesOf: circle.witnessesOf, quorumOf: circle.quorumOf, ...change };
}

test('a proof can be checked by whoever knows the study’s members, and by nothing else', async () => {
  const entries = await consortium.entriesOf(0);
  for (const index of [0, 3, 4]) {
    const proven = provenRecord(await evidence.prove(author, index), believed());
    expect(proven.record.id).toEqual(openRecord(entries[index] as Uint8Array).id);
    expect(proven.size).toBe(5);
    expect(proven.cosignatures.map(({ name }) => name)).toEqual(['site-1', 'site-2']);
  }
});

test('hands out the witnessed checkpoint, and the newest beside it', async () => {
  expect(parseNote(evidence.checkpoint(author)).text.split('\n')[1]).toBe('5');
  expect(await evidence.notes(author)).toEqual([evidence.checkpoint(author)]);
  expect(await evidence.notes(testKey(1).id)).toEqual([]);
});

test.each<[string, () => Promise<unknown> | unknown]>([
  ['a record that is not under it', () => evidence.prove(author, 5)],
  ['a record that is none', () => evidence.prove(author, Number.NaN)],
  ['a log that is not witnessed', () => evidence.checkpoint(testKey(1).id)],
  ['a stranger’s log', () => evidence.prove(testKey(9).id, 0)],
])('does not prove %s', async (_, act) => {
  await expect(async () => act()).rejects.toMatchObject({ code: 'NOT_WITNESSED' });
});

test.each<[string, number, Uint8Array]>([
  ['is not where it says', 0, study],
  ['is of another study', 1, new Uint8Array(32).fill(5)],
])('a record that %s proves nothing, whatever its author signs', async (_, leaf, ofStudy) => {
  const key = testKey(0);
  const entry = signRecord(key, {
    kind: 'notice',
    version: 1,
    study: ofStudy,
    author: key.id,
    index: 1,
    previous: new Uint8Array(32),
    heads: [],
    known: false,
    body: 'x',
  });
  const entries = [entry, entry];
  const leaves = entries.map((each) => leafHash(openRecord(each).leaf));
  const proof = formatTlogProof({
    extra: entry,
    index: leaf,
    inclusion: inclusionProof(leaves, leaf),
    checkpoint: encodeCheckpoint(checkpointOf(key, entries, 2)),
  });
  const alone = believed({ quorumOf: () => 0 });
  expect(() => provenRecord(proof, alone)).toThrow(expect.objectContaining({ code: 'NOT_PROVEN' }));
});

const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

test('a proof that was changed anywhere proves nothing', async () => {
  const proof = await evidence.prove(author, 3);
  for (let at = 0; at < proof.length; at += 7) {
    expect(() => provenRecord(flipped(proof, at), believed())).toThrow(
      expect.objectContaining({ code: 'NOT_PROVEN' }),
    );
  }
});

test.each<[string, () => Promise<Uint8Array>, Partial<Believed>]>([
  [
    'more witnesses than signed are wanted',
    () => evidence.prove(author, 3),
    {
      quorumOf: () => 3,
      witnessesOf: () => [1, 2, 7].map((n) => ({ site: testKey(n).id, name: `${n}` })),
    },
  ],
  [
    'others are believed',
    () => evidence.prove(author, 3),
    { witnessesOf: () => [5, 6].map((n) => ({ site: testKey(n).id, name: `${n}` })) },
  ],
  ['the study is another one', () => evidence.prove(author, 3), { study: new Uint8Array(32) }],
  [
    'the record is missing',
    async () =>
      formatTlogProof({ ...parseTlogProof(await evidence.prove(author, 3)), extra: null }),
    {},
  ],
  [
    'the record is another one of the log',
    async () => {
      const [first = new Uint8Array()] = await consortium.entriesOf(0);
      return formatTlogProof({ ...parseTlogProof(await evidence.prove(author, 3)), extra: first });
    },
    {},
  ],
])('a proof says nothing when %s', async (_, make, change) => {
  const proof = await make();
  expect(() => provenRecord(proof, believed(change))).toThrow(
    expect.objectContaining({ code: 'NOT_PROVEN' }),
  );
});
