import {
  cosign,
  formatNote,
  type LogSigner,
  leafHash,
  merkleRoot,
  signCheckpoint,
  verifyInclusion,
  verifyTlogProof,
  type WitnessSigner,
} from '@consilium/log';
import { openRecord, type SiteKey, sign, verifyStrictly } from '@consilium/records';
import { beforeAll, expect, test } from 'vitest';
import { ApiStudy } from './api-fixture.ts';
import { logProof, noCheckpoints } from './log-proof.ts';

const study = new ApiStudy();
const author = study.key(0);
const signerOf = (key: SiteKey) => (message: Uint8Array) => sign(message, key.secretKey);
const logSigner: LogSigner = {
  type: 'ed25519',
  name: 'example/log-a',
  publicKey: author.publicKey,
  sign: signerOf(author),
};
const witness: WitnessSigner = {
  type: 'cosignature',
  name: 'example/witness-b',
  publicKey: study.key(1).publicKey,
  sign: signerOf(study.key(1)),
};
const records = () => study.logs.get(author.id) ?? [];

/** A checkpoint over the first `size` records, cosigned by another site. */
function checkpoint(
  size: number,
  root = merkleRoot(
    records()
      .slice(0, size)
      .map(({ leaf }) => leaf),
  ),
) {
  const signed = signCheckpoint({ size, root }, logSigner);
  const { note } = signed;
  const cosigned = {
    ...note,
    signatures: [...note.signatures, cosign(signed, witness, 1_700_000_000)],
  };
  return { notes: async () => [formatNote(cosigned)] };
}

beforeAll(async () => {
  await study.twoRounds();
});

test.each([0, 1, 2])(
  'record %i is proven to be in the log under a cosigned checkpoint',
  async (index) => {
    const { tlogProof, envelope, size } = await logProof(
      author.id,
      index,
      records(),
      checkpoint(3),
    );
    expect(size).toBe(3);
    const { leaf, record } = openRecord(Buffer.from(envelope, 'base64'));
    expect(record.index).toBe(index);
    const proven = verifyTlogProof(
      new TextEncoder().encode(tlogProof ?? ''),
      leafHash(leaf),
      { logKey: logSigner, witnesses: [witness], quorum: 1 },
      (publicKey, message, signature) => verifyStrictly(message, signature, publicKey),
    );
    expect(proven).toMatchObject({ index, cosignatures: [{ name: witness.name }] });
  },
);

test.each([
  ['there is no checkpoint', () => noCheckpoints, 3],
  ['the checkpoint ends before it', () => checkpoint(2), 2],
  [
    'the checkpoint is of a longer log than is here',
    () => checkpoint(9, new Uint8Array(32).fill(3)),
    1,
  ],
  ['the checkpoint has another root', () => checkpoint(3, new Uint8Array(32).fill(3)), 1],
  ['the checkpoint is none', () => ({ notes: async () => [new Uint8Array([0x78])] }), 1],
])('where %s, the proof leads to where the log stands here', async (_, checkpoints, index) => {
  const { tlogProof, size, root, inclusion, envelope } = await logProof(
    author.id,
    index,
    records(),
    checkpoints(),
  );
  expect(tlogProof).toBeNull();
  expect(size).toBe(records().length);
  const { leaf } = openRecord(Buffer.from(envelope, 'base64'));
  const proof = inclusion.map((hash) => Buffer.from(hash, 'hex'));
  const claim = { leafHash: leafHash(leaf), index, size, root: Buffer.from(root, 'hex'), proof };
  expect(verifyInclusion(claim)).toBe(true);
});

test('of several checkpoints the first that covers the record is shown', async () => {
  const [short] = await checkpoint(2).notes();
  const [long] = await checkpoint(3).notes();
  const both = { notes: async () => [short, long] as Uint8Array[] };
  expect((await logProof(author.id, 1, records(), both)).size).toBe(2);
  expect((await logProof(author.id, 2, records(), both)).size).toBe(3);
});

test('a record that is not here is unknown', async () => {
  await expect(logProof(author.id, 99, records(), noCheckpoints)).rejects.toMatchObject({
    code: 'RECORD_UNKNOWN',
  });
});
