import {
  bareNote,
  consistencyProof,
  leafHash,
  openCheckpoint,
  parseNoteSignature,
} from '@consilium/log';
import type { CosignReply, Witnessing } from '@consilium/network';
import { openRecord, type SiteKey } from '@consilium/records';
import { logKeyOf, logName, verifyNote } from '@consilium/study';
import { expect, test } from 'vitest';
import { withCosignature } from './cosigned-checkpoint.ts';
import {
  checkpointOf,
  say,
  story,
  study,
  TestConsortium,
  testKey,
  type WatchingSite,
} from './witnessing-fixture.ts';

/** The site that asks, and two stories of it that share their first three records. */
const asker = testKey(0);
const truth = story(asker, 9, 3, 'truth');
const lie = story(asker, 9, 3, 'lie');

/** A witness that holds the first `held` records of the truth. */
async function witnessHolding(held: number, isSettled = true): Promise<WatchingSite> {
  const consortium = new TestConsortium(3, 2);
  const site = await consortium.start(1, { isSettled });
  for (const entry of truth.slice(0, held)) await site.log.append(entry);
  return site;
}

type Request = Parameters<Witnessing['cosign']>[1];

function request(
  entries: readonly Uint8Array[],
  oldSize: number,
  size: number,
  signer: SiteKey = asker,
): Request {
  const leaves = entries.slice(0, size).map((entry) => leafHash(openRecord(entry).leaf));
  const checkpoint = checkpointOf(asker, entries, size, signer);
  return {
    oldSize,
    proof: oldSize === 0 ? [] : consistencyProof(leaves, oldSize),
    checkpoint: bareNote(checkpoint, logKeyOf(study, asker.id)),
  };
}

const ask = ({ witnessing }: WatchingSite, asked: Request, by = asker): Promise<CosignReply> =>
  witnessing.exchange.cosign(by.id, asked);

test('cosigns what it holds, as far as it holds it, and keeps the note', async () => {
  const site = await witnessHolding(7);
  expect(await ask(site, request(truth, 0, 8))).toEqual({ type: 'refused', code: 'behind' });
  const reply = await ask(site, request(truth, 0, 5));
  if (reply.type !== 'cosigned') throw new TypeError(`it answered ${reply.type}`);
  const line = parseNoteSignature(new TextDecoder().decode(reply.line));
  const checkpoint = checkpointOf(asker, truth, 5);
  const bare = { site: asker.id, checkpoint, cosignatures: new Map() };
  expect(withCosignature(bare, line, site.key.id, study).cosignatures.size).toBe(1);
  expect(site.witnessing.exchange.claims()).toMatchObject([
    { author: asker.id, size: 5, cosigned: 1 },
  ]);
  expect(await ask(site, request(truth, 0, 7))).toEqual({ type: 'conflict', size: 5 });
  expect(await ask(site, request(truth, 5, 7))).toMatchObject({ type: 'cosigned' });
});

test('says nothing before other members were asked what it may have forgotten', async () => {
  const site = await witnessHolding(7, false);
  expect(await ask(site, request(truth, 0, 5))).toEqual({ type: 'refused', code: 'not-now' });
  site.ownLog.settle();
  expect(await ask(site, request(truth, 0, 5))).toMatchObject({ type: 'cosigned' });
});

const other = testKey(2);
const otherNote = bareNote(
  checkpointOf(other, [say(other, 0, null, 'x')], 1),
  logKeyOf(study, other.id),
);

test.each<[string, Partial<Request>, string]>([
  ['another’s log', { checkpoint: otherNote }, 'unknown-log'],
  ['what it did not sign', request(truth, 0, 5, other), 'bad-signature'],
  ['bytes', { checkpoint: new Uint8Array(80) }, 'malformed'],
  ['a proof from nowhere', { proof: [new Uint8Array(32)] }, 'inconsistent'],
])('refuses a member that asks for %s', async (_, change, code) => {
  const site = await witnessHolding(7);
  const answer = await ask(site, { ...request(truth, 0, 5), ...change });
  expect(answer).toEqual({ type: 'refused', code });
  expect(await site.witnessStore.get(logName(study, asker.id))).toBeUndefined();
});

test('refuses a stranger', async () => {
  const site = await witnessHolding(7);
  expect(await ask(site, request(truth, 0, 5), testKey(9))).toMatchObject({ code: 'unknown-log' });
});

test('never cosigns another log than the one it holds, and proves the lie when it can', async () => {
  const site = await witnessHolding(7);
  expect(await ask(site, request(lie, 0, 5))).toEqual({ type: 'refused', code: 'inconsistent' });
  expect(site.witnessing.notes.view().splitViews).toMatchObject([{ size: 5, isProven: false }]);
  // Where both stories are still one, there is nothing to say against it.
  expect(await ask(site, request(lie, 0, 3))).toMatchObject({ type: 'cosigned' });
  expect(await ask(site, request(truth, 3, 7))).toMatchObject({ type: 'cosigned' });
  expect(site.witnessing.notes.view().splitViews).toMatchObject([{ size: 5, isProven: true }]);
  const answer = await ask(site, request(lie, 7, 7));
  if (answer.type !== 'contradiction') throw new TypeError(`it answered ${answer.type}`);
  const { smaller, larger } = answer.contradiction;
  const key = logKeyOf(study, asker.id);
  expect(openCheckpoint(smaller, key, verifyNote).size).toBe(5);
  expect(openCheckpoint(larger, key, verifyNote).size).toBe(7);
});

test('a witness whose disk was lost learns from others what it has cosigned, and denies none of it', async () => {
  const consortium = await new TestConsortium(3, 2).open();
  const [author, witness] = [consortium.site(0), consortium.site(1)];
  for (const entry of truth.slice(0, 7)) {
    await author.log.append(entry);
    await witness.log.append(entry);
  }
  await ask(witness, request(truth, 0, 7));
  await consortium.pull(2, 1);
  // Its new disk has a copy of the records and nothing else.
  const again = await consortium.start(1);
  consortium.sites[1] = again;
  await consortium.pull(1, 2);
  expect(await ask(again, request(truth, 0, 5))).toEqual({ type: 'conflict', size: 7 });
  expect(await again.witnessStore.get(logName(study, asker.id))).toEqual(
    bareNote(checkpointOf(asker, truth, 7), logKeyOf(study, asker.id)),
  );
});

test('what it remembers is never lowered by an older note', async () => {
  const consortium = await new TestConsortium(3, 2).open();
  const witness = consortium.site(1);
  for (const entry of truth.slice(0, 7)) await witness.log.append(entry);
  await ask(witness, request(truth, 0, 5));
  await consortium.pull(2, 1);
  await ask(witness, request(truth, 5, 7));
  const exchange = consortium.site(2).witnessing.exchange;
  const [claim] = exchange.claims();
  const note = await exchange.note(asker.id, 5);
  if (claim === undefined || note === undefined) throw new TypeError('site 2 has the older note');
  expect(await witness.witnessing.exchange.take(consortium.site(2).key.id, claim, note)).toBe(true);
  expect(await ask(witness, request(truth, 0, 5))).toEqual({ type: 'conflict', size: 7 });
});

test('a damaged memory cosigns nothing more of that log, and says so', async () => {
  const site = await witnessHolding(7);
  await ask(site, request(truth, 0, 5));
  await site.witnessStore.put(logName(study, asker.id), new Uint8Array(30));
  await expect(ask(site, request(truth, 5, 7))).rejects.toMatchObject({ code: 'STORE' });
  expect(site.lines.at(-1)).toMatchObject({ level: 'error', fields: { code: 'STORE' } });
});
