import {
  bareNote,
  formatNote,
  noteKeyId,
  parseNote,
  type VerifiedCheckpoint,
} from '@consilium/log';
import type { NoteClaim } from '@consilium/network';
import { sign } from '@consilium/records';
import { logKeyOf, witnessKeyOf } from '@consilium/study';
import { describe, expect, test } from 'vitest';
import { OwnLog } from '../own-log.ts';
import {
  checkpointOf,
  story,
  study,
  TestConsortium,
  testKey,
  type WatchingSite,
} from './witnessing-fixture.ts';

const author = testKey(0);
const truth = story(author, 9, 3, 'truth');
const lie = story(author, 9, 3, 'lie');

/** Site 1 of three, with the first `held` records of the truth. */
async function holding(held: number): Promise<WatchingSite> {
  const site = await new TestConsortium(3, 2).start(1);
  for (const entry of truth.slice(0, held)) await site.log.append(entry);
  return site;
}

const noteOf = (checkpoint: VerifiedCheckpoint): Uint8Array =>
  bareNote(checkpoint, logKeyOf(study, author.id));

function claimOf({ size, root }: VerifiedCheckpoint, cosigned = 0): NoteClaim {
  return { author: author.id, size, root, cosigned, cosigners: new Uint8Array(32) };
}

/** Offers a checkpoint as a member does: claimed, and handed out if it is wanted. Undefined when it is not. */
async function offer(
  site: WatchingSite,
  checkpoint: VerifiedCheckpoint,
): Promise<boolean | undefined> {
  const { exchange } = site.witnessing;
  const claim = claimOf(checkpoint);
  return (await exchange.wants(claim))
    ? exchange.take(testKey(2).id, claim, noteOf(checkpoint))
    : undefined;
}

describe('a note', () => {
  test('is wanted when it is longer than what is known, and of the log that is here', async () => {
    const site = await holding(7);
    expect(await offer(site, checkpointOf(author, truth, 5))).toBe(true);
    expect(await offer(site, checkpointOf(author, truth, 4))).toBeUndefined();
    expect(await offer(site, checkpointOf(author, truth, 7))).toBe(true);
    expect(await offer(site, checkpointOf(author, truth, 8))).toBeUndefined(); // its records are not here
    expect(site.witnessing.exchange.claims().map(({ size }) => size)).toEqual([7]);
  });

  test('is wanted when enough have cosigned it, also if it is shorter', async () => {
    const site = await holding(7);
    await offer(site, checkpointOf(author, truth, 7));
    const { wants } = site.witnessing.exchange;
    const shorter = checkpointOf(author, truth, 6);
    expect(await wants.call(site.witnessing.exchange, claimOf(shorter, 1))).toBe(false);
    expect(await wants.call(site.witnessing.exchange, claimOf(shorter, 2))).toBe(true);
  });

  test('of a stranger’s log is not wanted', async () => {
    const site = await holding(7);
    const claim = { ...claimOf(checkpointOf(author, truth, 5)), author: testKey(9).id };
    expect(await site.witnessing.exchange.wants(claim)).toBe(false);
  });

  const checkpoint = checkpointOf(author, truth, 5);
  const { text, signatures } = parseNote(noteOf(checkpoint));
  const stuffed = `${text}${'an extension line\n'.repeat(50)}`;
  const own = signatures[0] as (typeof signatures)[0];

  test.each<[string, NoteClaim, Uint8Array]>([
    ['another one than was claimed', claimOf(checkpoint), noteOf(checkpointOf(author, truth, 4))],
    ['of another root', claimOf(checkpointOf(author, lie, 5)), noteOf(checkpoint)],
    [
      'that somebody else signed',
      claimOf(checkpoint),
      noteOf(checkpointOf(author, truth, 5, testKey(2))),
    ],
    ['that is none', claimOf(checkpoint), new Uint8Array(70)],
    [
      'with rubbish in a member’s name',
      claimOf(checkpoint),
      formatNote({ text, signatures: [own, rubbishOf(testKey(2).id)] }),
    ],
    [
      'too long to be shown as evidence',
      claimOf(checkpoint),
      formatNote({
        text: stuffed,
        signatures: [
          { ...own, signature: sign(new TextEncoder().encode(stuffed), author.secretKey) },
        ],
      }),
    ],
  ])('counts against whoever hands it out: %s', async (_, claim, note) => {
    const site = await holding(7);
    expect(await site.witnessing.exchange.take(testKey(2).id, claim, note)).toBe(false);
    expect(site.witnessing.exchange.claims()).toEqual([]);
  });
});

describe('a checkpoint of another log than the one here', () => {
  test('is kept, shown, and proven once a longer one of this log is known', async () => {
    const site = await holding(9);
    expect(await offer(site, checkpointOf(author, lie, 6))).toBe(true);
    const { notes, accuser } = site.witnessing;
    expect(notes.view().splitViews).toEqual([
      { site: author.id, name: 'site-0', size: 6, isProven: false },
    ]);
    expect(site.lines.at(-1)).toMatchObject({ level: 'error', fields: { site: author.id } });
    await offer(site, checkpointOf(author, truth, 5));
    expect(notes.suspicions.proven()).toEqual([]);
    await offer(site, checkpointOf(author, truth, 9));
    expect(notes.suspicions.proven()).toMatchObject([{ site: author.id, index: 5 }]);
    expect(accuser.hasWork({ accusations: () => [] })).toBe(true);
  });

  test('of the shortest log counts, over restarts as well', async () => {
    const consortium = new TestConsortium(3, 2);
    const site = await consortium.start(1);
    for (const entry of truth) await site.log.append(entry);
    await offer(site, checkpointOf(author, truth, 9));
    await Promise.all([7, 5, 8].map((size) => offer(site, checkpointOf(author, lie, size))));
    expect(await offer(site, checkpointOf(author, lie, 5))).toBeUndefined();
    // Handed out all the same.
    const longer = checkpointOf(author, lie, 8);
    const { exchange } = site.witnessing;
    expect(await exchange.take(testKey(2).id, claimOf(longer), noteOf(longer))).toBe(true);
    const again = await consortium.start(1, { level: site.level });
    for (const { notes } of [site.witnessing, again.witnessing]) {
      expect(notes.suspicions.proven()).toMatchObject([{ index: 4 }]);
    }
    expect(again.witnessing.notes.suspicions.proven()).toEqual(
      site.witnessing.notes.suspicions.proven(),
    );
  });

  test('tells nothing new where the records themselves prove it', async () => {
    const site = await holding(7);
    await site.log.append(lie[3] as Uint8Array);
    expect(await site.log.forks()).toMatchObject([{ index: 3 }]);
    await offer(site, checkpointOf(author, lie, 6));
    expect(site.witnessing.notes.view().splitViews).toEqual([]);
  });
});

describe('a checkpoint of this site’s own log', () => {
  const longer = checkpointOf(author, truth, 7);

  test('over more than it has says that its disk is an old copy: nothing is signed', async () => {
    const consortium = new TestConsortium(3, 2);
    const site = await consortium.start(0);
    for (const entry of truth.slice(0, 5)) await site.log.append(entry);
    expect(site.ownLog.maySign).toBe(true);
    await offer(site, checkpointOf(author, truth, 5));
    expect(() => site.ownLog.check()).not.toThrow();
    await offer(site, longer);
    expect(() => site.ownLog.check()).toThrow(expect.objectContaining({ code: 'ROLLED_BACK' }));
    expect(site.ownLog.maySign).toBe(false);
  });

  test('that somebody else signed says nothing', async () => {
    const site = await new TestConsortium(3, 2).start(0);
    const { exchange } = site.witnessing;
    const forged = noteOf(checkpointOf(author, truth, 7, testKey(2)));
    expect(await exchange.take(testKey(2).id, claimOf(longer), forged)).toBe(false);
    expect(() => site.ownLog.check()).not.toThrow();
  });

  test('says how far a restoring site has to get before it signs again', async () => {
    const site = await new TestConsortium(3, 2).start(0, { ownLog: { isRestoring: true } });
    await offer(site, longer);
    expect(() => site.ownLog.check()).not.toThrow();
    for (const entry of truth.slice(0, 7)) {
      expect([site.ownLog.isRecovering, site.ownLog.maySign]).toEqual([true, false]);
      await site.log.append(entry);
    }
    expect([site.ownLog.isRecovering, site.ownLog.maySign]).toEqual([false, true]);
  });

  test('is expected as far as the log is known to have reached before damage', () => {
    const log = {
      head: () => ({ author: author.id, size: 3, root: truth[0] as Uint8Array, last: null }),
    };
    const own = new OwnLog(author.id, log, { sizeBeforeDamage: 7, isRestoring: false });
    own.hear(7);
    expect(() => own.check()).not.toThrow();
    own.hear(8);
    expect(() => own.check()).toThrow(expect.objectContaining({ code: 'ROLLED_BACK' }));
  });
});

/** A line in a member's name and key id, by no key. */
function rubbishOf(site: string): { name: string; keyId: number; signature: Uint8Array } {
  const key = witnessKeyOf(study, site);
  return { name: key.name, keyId: noteKeyId(key), signature: new Uint8Array(72).fill(7) };
}
