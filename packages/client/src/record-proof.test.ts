import {
  cosign,
  formatNote,
  formatTlogProof,
  inclusionProof,
  type LogSigner,
  leafHash,
  merkleRoot,
  signCheckpoint,
  type WitnessPolicy,
  type WitnessSigner,
} from '@consilium/log';
import {
  keyFromSeed,
  openRecord,
  type SiteKey,
  sign,
  signRecord,
  type VerifiedRecord,
} from '@consilium/records';
import { expect, test } from 'vitest';
import type { ProofAnswer } from './answers.ts';
import { verifyRecordProof } from './record-proof.ts';

const keys = [1, 2, 3, 4].map((n) => keyFromSeed(new Uint8Array(32).fill(n)));
const [author, ...others] = keys as [SiteKey, SiteKey, SiteKey, SiteKey];

/** Five records of one log; what they say does not matter here. */
function logOf(key: SiteKey): VerifiedRecord[] {
  const records: VerifiedRecord[] = [];
  for (let index = 0; index < 5; index++) {
    records.push(
      openRecord(
        signRecord(key, {
          kind: 'evaluation',
          version: 1,
          study: new Uint8Array(32).fill(9),
          author: key.id,
          index,
          previous: records.at(-1)?.id ?? null,
          heads: [],
          body: {
            round: index,
            state: new Uint8Array(32),
            patients: 5,
            metrics: [{ name: 'x', value: 0.5, low: null, high: null }],
          },
        }),
      ),
    );
  }
  return records;
}

const log = logOf(author);
const leaves = log.map(({ leaf }) => leaf);
const signer = (key: SiteKey, name: string): LogSigner => ({
  type: 'ed25519',
  name,
  publicKey: key.publicKey,
  sign: (message) => sign(message, key.secretKey),
});
const witnesses: WitnessSigner[] = others.map((key, i) => ({
  ...signer(key, `example/w${i}`),
  type: 'cosignature',
}));
const logSigner = signer(author, 'example/log');
const policy: WitnessPolicy = { logKey: logSigner, witnesses, quorum: 2 };

/** What a node answers about record `index`, with a checkpoint over `size` records that so many cosigned. */
function answer(index: number, size = 5, cosigners = 2, by = logSigner): ProofAnswer {
  const covered = leaves.slice(0, size);
  const checkpoint = signCheckpoint({ size, root: merkleRoot(covered) }, by);
  const cosignatures = witnesses
    .slice(0, cosigners)
    .map((witness, i) => cosign(checkpoint, witness, 1_700_000_000 + i));
  const note = {
    ...checkpoint.note,
    signatures: [...checkpoint.note.signatures, ...cosignatures],
  };
  const inclusion = inclusionProof(covered.map(leafHash), index);
  const proof = formatTlogProof({ extra: null, index, inclusion, checkpoint: formatNote(note) });
  return {
    site: author.id,
    index,
    envelope: Buffer.from(log[index]?.envelope ?? '').toString('base64'),
    size,
    root: '',
    inclusion: [],
    tlogProof: Buffer.from(proof).toString(),
  };
}

test.each([0, 3, 4])('record %i is believed when two of three witnesses saw the log', (index) => {
  const wanted = { site: author.id, index };
  const { record, proven } = verifyRecordProof(answer(index), wanted, policy);
  expect(record.id).toEqual(log[index]?.id);
  expect(proven.cosignatures.map(({ name }) => name)).toEqual(['example/w0', 'example/w1']);
});

const wrong = { ...answer(3), envelope: Buffer.from(log[2]?.envelope ?? '').toString('base64') };
const stranger = logOf(others[0]);
/** The author's own signature over a tree in which record 3 stands in another place. */
const misplaced = ((): ProofAnswer => {
  const swapped = [3, 1, 2, 0, 4].map((i) => leaves[i] as Uint8Array);
  const checkpoint = signCheckpoint({ size: 5, root: merkleRoot(swapped) }, logSigner);
  const cosignatures = witnesses.slice(0, 2).map((witness) => cosign(checkpoint, witness, 1));
  const { text, signatures } = checkpoint.note;
  const note = formatNote({ text, signatures: [...signatures, ...cosignatures] });
  const inclusion = inclusionProof(swapped.map(leafHash), 0);
  const proof = formatTlogProof({ extra: null, index: 0, inclusion, checkpoint: note });
  return { ...answer(3), tlogProof: Buffer.from(proof).toString() };
})();
test.each<[string, ProofAnswer]>([
  ['nobody has signed the log’s length', { ...answer(3), tlogProof: null }],
  ['one witness too few saw it', answer(3, 5, 1)],
  ['another has signed the checkpoint', answer(3, 5, 2, signer(others[0], 'example/log'))],
  ['it is another log’s checkpoint', answer(3, 5, 2, signer(author, 'example/other'))],
  ['another record is shown', wrong],
  ['the proof is for another record', { ...answer(3), tlogProof: answer(2).tlogProof }],
  [
    'the record is another site’s',
    { ...answer(3), envelope: Buffer.from(stranger[3]?.envelope ?? '').toString('base64') },
  ],
  ['the author has put it in another place than it says', misplaced],
  ['the record is none', { ...answer(3), envelope: 'AAAA' }],
  ['the proof is none', { ...answer(3), tlogProof: 'proof' }],
])('a record is not believed when %s', (_, told) => {
  expect(() => verifyRecordProof(told, { site: author.id, index: 3 }, policy)).toThrow(
    expect.objectContaining({ code: 'PROOF' }),
  );
});

test('a policy that nothing could fulfil is the caller’s mistake', () => {
  const wanted = { site: author.id, index: 3 };
  expect(() => verifyRecordProof(answer(3), wanted, { ...policy, quorum: 4 })).toThrow(RangeError);
});
