import { expect, test } from 'vitest';
import {
  openCheckpoint,
  parseCheckpoint,
  signCheckpoint,
  type VerifiedCheckpoint,
} from './checkpoint.ts';
import { cosign, openCosignature, openCosignatures } from './cosignature.ts';
import { encodeText, formatNote, type NoteSignature, noteKeyId, parseNote } from './signed-note.ts';
import { testLog, testSeed, testVerify, testWitness } from './test-signer.ts';

const log = testLog('hospital.example/log', testSeed(3));
const witness = testWitness('other.example/witness', testSeed(5));
const third = testWitness('third.example/witness', testSeed(6));
const time = 1_679_315_147;
const checkpoint = signCheckpoint({ size: 20, root: new Uint8Array(32).fill(9) }, log);
const cosignature = cosign(checkpoint, witness, time);
const refused = expect.objectContaining({ code: 'NOTE_SIGNATURE' });

/** The checkpoint as it comes back from somebody who added signatures. */
function withSignatures(...signatures: readonly NoteSignature[]): VerifiedCheckpoint {
  const { text, signatures: own } = checkpoint.note;
  return openCheckpoint(formatNote({ text, signatures: [...own, ...signatures] }), log, testVerify);
}

test('the published example is a cosignature in shape: key id, time, signature', () => {
  // From https://c2sp.org/tlog-cosignature; the keys are not published.
  const example = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
`;
  const { text, signatures } = parseNote(encodeText(example));
  expect(parseCheckpoint(text).size).toBe(20_852_163);
  const [, published] = signatures;
  expect(published).toMatchObject({ name: 'witness.example.com/w1', keyId: 0x8d66cf3f });
  expect(published?.signature).toHaveLength(cosignature.signature.length);
  expect(published?.signature.slice(0, 8)).toEqual(cosignature.signature.slice(0, 8));
});

test('signs two lines of its own and then the checkpoint, added lines included', () => {
  const seen: string[] = [];
  const text = `${checkpoint.note.text}added\n`;
  const signatures = [
    { name: log.name, keyId: noteKeyId(log), signature: log.sign(encodeText(text)) },
  ];
  const extended = openCheckpoint(formatNote({ text, signatures }), log, testVerify);
  const sign = (message: Uint8Array): Uint8Array => {
    seen.push(new TextDecoder().decode(message));
    return witness.sign(message);
  };
  const signed = cosign(extended, { ...witness, sign }, time);
  expect(seen).toEqual([`cosignature/v1\ntime 1679315147\n${text}`]);
  expect(openCosignature(extended, signed, witness, testVerify)).toEqual({
    name: witness.name,
    timestampSeconds: time,
  });
  expect(() => openCosignature(checkpoint, signed, witness, testVerify)).toThrow(refused);
});

test('any flipped bit is refused, the time’s included', () => {
  const { signature } = cosignature;
  for (let bit = 0; bit < signature.length * 8; bit += 1) {
    const flipped = signature.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    const changed = { ...cosignature, signature: flipped };
    expect(() => openCosignature(checkpoint, changed, witness, testVerify)).toThrow(refused);
  }
});

test.each([0, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER])('bears the time %s', (timestampSeconds) => {
  const signed = cosign(checkpoint, witness, timestampSeconds);
  expect(openCosignature(checkpoint, signed, witness, testVerify)).toMatchObject({
    timestampSeconds,
  });
});

test.each([-1, 1.5, Number.NaN, 2 ** 53])('is not made with the time %s', (timestampSeconds) => {
  expect(() => cosign(checkpoint, witness, timestampSeconds)).toThrow(RangeError);
});

test('is refused with a time beyond 2^53 - 1, though the witness signed it', () => {
  const message = encodeText(`cosignature/v1\ntime 9007199254740992\n${checkpoint.note.text}`);
  const signature = Uint8Array.of(0, 32, 0, 0, 0, 0, 0, 0, ...witness.sign(message));
  const late = { ...cosignature, signature };
  expect(() => openCosignature(checkpoint, late, witness, testVerify)).toThrow(refused);
});

test.each([
  ['a plain signature of the text', witness.sign(encodeText(checkpoint.note.text))],
  ['nothing but a time', cosignature.signature.slice(0, 8)],
  ['a byte too many', Uint8Array.of(...cosignature.signature, 0)],
])('is refused: %s', (_, signature) => {
  const changed = { ...cosignature, signature };
  expect(() => openCosignature(checkpoint, changed, witness, testVerify)).toThrow(refused);
});

test.each([1, 7, 71, 73])('is refused with %s bytes, before the verifier is asked', (length) => {
  const changed = { ...cosignature, signature: new Uint8Array(length) };
  expect(() => openCosignature(checkpoint, changed, witness, () => true)).toThrow(refused);
});

test('is refused in another’s name, and of another checkpoint', () => {
  expect(() => openCosignature(checkpoint, cosignature, third, testVerify)).toThrow(refused);
  const borrowed = { ...cosignature, name: third.name }; // with a key id that finds the right key
  expect(() => openCosignature(checkpoint, borrowed, witness, testVerify)).toThrow(refused);
  const keyId = noteKeyId(third);
  const renamed = { ...cosignature, name: third.name, keyId };
  expect(() => openCosignature(checkpoint, renamed, third, testVerify)).toThrow(refused);
  const other = signCheckpoint({ size: 21, root: checkpoint.root }, log);
  expect(() => openCosignature(other, cosignature, witness, testVerify)).toThrow(refused);
});

test('is not made by a signer whose signatures are no Ed25519', () => {
  const broken = { ...witness, sign: () => new Uint8Array(63) };
  expect(() => cosign(checkpoint, broken, time)).toThrow(RangeError);
});

test('each witness counts once, with its latest word, in the order of the witnesses', () => {
  const stranger = testWitness('stranger.example', testSeed(7));
  const opened = withSignatures(
    cosign(checkpoint, third, time + 4),
    cosignature,
    cosign(checkpoint, stranger, time),
    cosign(checkpoint, witness, time + 9),
    cosign(checkpoint, witness, time + 2),
  );
  expect(openCosignatures(opened, [witness, third], testVerify)).toEqual([
    { name: witness.name, timestampSeconds: time + 9 },
    { name: third.name, timestampSeconds: time + 4 },
  ]);
  expect(openCosignatures(checkpoint, [witness, third], testVerify)).toEqual([]);
});

test('one that does not verify, in the name of a witness that counts, makes the note worthless', () => {
  const other = signCheckpoint({ size: 21, root: checkpoint.root }, log);
  const opened = withSignatures(cosignature, cosign(other, third, time));
  expect(openCosignatures(opened, [witness], testVerify)).toHaveLength(1);
  expect(() => openCosignatures(opened, [witness, third], testVerify)).toThrow(refused);
});

test('a log does not become its own witness by the signature that it gives anyway', () => {
  const self = testWitness(log.name, testSeed(3));
  expect(self.publicKey).toEqual(log.publicKey);
  expect(openCosignatures(checkpoint, [self], testVerify)).toEqual([]);
});
