import {
  cosign,
  formatNoteSignature,
  openCheckpoint,
  parseCheckpoint,
  parseNote,
} from '@consilium/log';
import type { CosignReply } from '@consilium/network';
import { type SiteKey, sign } from '@consilium/records';
import { logKeyOf, verifyNote, witnessKeyOf } from '@consilium/study';
import { expect, onTestFinished, test } from 'vitest';
import { story, study, TestConsortium, testKey } from './witnessing-fixture.ts';

const quick = { quietMs: 1, retryBaseMs: 2, retryCapMs: 20 };

/** Runs site 0's keeper until the test ends. */
function run(consortium: TestConsortium, network = consortium.networkOf(0)): void {
  const stop = new AbortController();
  const keeper = consortium.site(0).witnessing.keeper(network, quick);
  const running = keeper.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
}

/** Looks again and again, as other work goes on. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

const witnessedSize = (consortium: TestConsortium): number =>
  consortium.site(0).witnessing.notes.view().logs[0]?.witnessedSize ?? 0;

/** Hands the records of site 0 to the others. */
async function replicate(consortium: TestConsortium, to: readonly number[]): Promise<void> {
  for (const n of to) await consortium.pullRecords(n, 0);
}

test('every growth of the log is signed and cosigned until enough members have', async () => {
  const consortium = await new TestConsortium(4, 3).open();
  run(consortium);
  for (const [count, size] of [
    [3, 3],
    [1, 4],
    [5, 9],
  ] as const) {
    await consortium.site(0).write(count);
    await replicate(consortium, [1, 2, 3]);
    await until(() => witnessedSize(consortium) === size);
  }
  const [watched] = consortium.site(0).witnessing.notes.view().logs;
  expect(watched).toMatchObject({ size: 9, signedSize: 9, quorum: 3 });
  expect(watched?.witnesses.filter(({ hasCosigned }) => hasCosigned)).toHaveLength(3);
});

test('goes on without those who are away, and comes back to them when they are missed', async () => {
  const consortium = await new TestConsortium(4, 2).open();
  consortium.away.add(consortium.site(1).key.id);
  run(consortium);
  await consortium.site(0).write(3);
  await replicate(consortium, [2, 3]);
  await until(() => witnessedSize(consortium) === 3);
  consortium.away.add(consortium.site(2).key.id);
  await consortium.site(0).write(2);
  await replicate(consortium, [3]);
  await until(() => consortium.site(0).witnessing.notes.view().logs[0]?.signedSize === 5);
  expect(witnessedSize(consortium)).toBe(3);
  await replicate(consortium, [1]);
  consortium.away.delete(consortium.site(1).key.id);
  await until(() => witnessedSize(consortium) === 5);
});

test('asks again whoever was behind, and whoever cosigned another size than it thought', async () => {
  const consortium = await new TestConsortium(3, 2).open();
  run(consortium);
  await consortium.site(0).write(4);
  await replicate(consortium, [1]);
  await until(() => consortium.site(1).witnessing.exchange.claims().length === 1);
  expect(witnessedSize(consortium)).toBe(0);
  await replicate(consortium, [2]);
  await until(() => witnessedSize(consortium) === 4);
  // A keeper that knows nothing of what was cosigned before.
  run(consortium);
  await consortium.site(0).write(3);
  await replicate(consortium, [1, 2]);
  await until(() => witnessedSize(consortium) === 7);
});

test('signs nothing while the disk may be an old copy, or is being refilled', async () => {
  const consortium = new TestConsortium(3, 2);
  const site = await consortium.start(0, { isSettled: false, ownLog: { sizeBeforeDamage: 4 } });
  consortium.sites.push(site, await consortium.start(1), await consortium.start(2));
  const asked: number[] = [];
  for (const { key } of consortium.sites.slice(1)) {
    consortium.liars.set(key.id, async (_, { checkpoint }) => {
      asked.push(parseCheckpoint(parseNote(checkpoint).text).size);
      return { type: 'refused', code: 'behind' };
    });
  }
  let looks = 0;
  const network = consortium.networkOf(0);
  const peers = (): ReturnType<typeof network.peers> => {
    looks += 1;
    return network.peers();
  };
  const lookedAgain = (): Promise<void> => {
    const before = looks;
    return until(() => looks > before + 20);
  };
  run(consortium, { ...network, peers });
  await site.write(3);
  await lookedAgain();
  site.ownLog.settle();
  await lookedAgain();
  expect(asked).toEqual([]);
  expect(site.witnessing.exchange.claims()).toEqual([]);
  await site.write(1);
  await until(() => asked.length >= 2);
  expect(new Set(asked)).toEqual(new Set([4]));
});

const encoded = (line: string): Uint8Array => new TextEncoder().encode(line);

/** What a witness would answer that signs with this key, or another text, or nothing at all. */
function cosignedBy(name: SiteKey, signer: SiteKey, change = (text: string): string => text) {
  return async (_: string, { checkpoint }: { checkpoint: Uint8Array }): Promise<CosignReply> => {
    const opened = openCheckpoint(checkpoint, logKeyOf(study, testKey(0).id), verifyNote);
    const other = { ...opened, note: { ...opened.note, text: change(opened.note.text) } };
    const key = {
      ...witnessKeyOf(study, name.id),
      sign: (m: Uint8Array) => sign(m, signer.secretKey),
    };
    return {
      type: 'cosigned',
      line: encoded(formatNoteSignature(cosign(other, key, 1_700_000_000))),
    };
  };
}

test.each<[string, () => (...asked: never[]) => Promise<CosignReply>]>([
  ['another key', () => cosignedBy(testKey(1), testKey(9))],
  ['another’s name', () => cosignedBy(testKey(2), testKey(2))],
  [
    'another size',
    () => cosignedBy(testKey(1), testKey(1), (text) => text.replace('\n3\n', '\n4\n')),
  ],
  ['rubbish', () => async () => ({ type: 'cosigned', line: encoded('— rubbish AAAA') })],
  [
    'bytes that are no text',
    () => async () => ({ type: 'cosigned', line: Uint8Array.of(0xff, 0xfe) }),
  ],
])('a witness that cosigns with %s is not counted, and nothing of it is kept', async (_, lie) => {
  const consortium = await new TestConsortium(3, 2).open();
  consortium.liars.set(consortium.site(1).key.id, lie() as never);
  run(consortium);
  await consortium.site(0).write(3);
  await replicate(consortium, [2]);
  const { lines, witnessing, key } = consortium.site(0);
  await until(() => witnessing.notes.book.newest(key.id)?.cosignatures.size === 1);
  await until(() => lines.some(({ message }) => message.includes('not one by its key')));
  expect(witnessedSize(consortium)).toBe(0);
  const note = (await witnessing.exchange.note(key.id, 3)) ?? new Uint8Array();
  expect(parseNote(note).signatures).toHaveLength(2);
  // And the others take the note as it is.
  await consortium.pull(2, 0);
  consortium.liars.clear();
  await replicate(consortium, [1]);
  await until(() => witnessedSize(consortium) === 3);
});

test('a witness that claims to have cosigned more than there is costs nothing but a line', async () => {
  const consortium = await new TestConsortium(3, 1).open();
  consortium.liars.set(consortium.site(1).key.id, async () => ({ type: 'conflict', size: 900 }));
  run(consortium);
  await consortium.site(0).write(3);
  await replicate(consortium, [2]);
  await until(() => witnessedSize(consortium) === 3);
  const { lines } = consortium.site(0);
  expect(lines.some(({ message }) => message.includes('never signed'))).toBe(true);
});

test('two stories signed with a stolen key meet at a witness, and the hospital hears of it from its own node', async () => {
  const consortium = await new TestConsortium(3, 2).open();
  const [hospital, , friend] = [consortium.site(0), consortium.site(1), consortium.site(2)];
  // The thief shows its own records to site 1, which cosigns them.
  const thief = await consortium.start(0);
  const stolen = story(thief.key, 3, 0, 'stolen');
  for (const entry of stolen) {
    await thief.log.append(entry);
    await consortium.site(1).log.append(entry);
  }
  const thiefs = thief.witnessing.keeper(consortium.networkOf(0), quick);
  const stop = new AbortController();
  const stealing = thiefs.run(stop.signal);
  await until(
    () => (thief.witnessing.notes.book.newest(thief.key.id)?.cosignatures.size ?? 0) === 1,
  );
  stop.abort();
  await stealing;
  run(consortium);
  await hospital.write(3);
  await friend.log.append((await consortium.entriesOf(0))[0] as Uint8Array);
  await until(() => hospital.witnessing.notes.suspicions.proven().length === 1);
  expect(hospital.lines.some(({ message }) => message.includes('this site’s key'))).toBe(true);
  expect(hospital.witnessing.notes.view().splitViews).toMatchObject([
    { site: hospital.key.id, size: 3, isProven: true },
  ]);
});
