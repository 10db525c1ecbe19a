import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeCheckpoint, signCheckpoint } from './checkpoint.ts';
import { cosign } from './cosignature.ts';
import { inclusionProof } from './proof.ts';
import { encodeText, formatNote, type NoteSignature, parseNote } from './signed-note.ts';
import { testLog, testSeed, testVerify, testWitness } from './test-signer.ts';
import {
  formatTlogProof,
  MAX_TLOG_PROOF_BYTES,
  parseTlogProof,
  type TlogProof,
  verifyTlogProof,
} from './tlog-proof.ts';
import { leafHash, merkleRoot } from './tree.ts';

const log = testLog('hospital.example/log', testSeed(3));
const [ann, bob, cid] = [5, 6, 7].map((seed) =>
  testWitness(`witness-${seed}.example`, testSeed(seed)),
) as [
  ReturnType<typeof testWitness>,
  ReturnType<typeof testWitness>,
  ReturnType<typeof testWitness>,
];
const time = 1_679_315_147;

const leaves = Array.from({ length: 11 }, (_, i) => Uint8Array.of(40 + i));
const hashes = leaves.map(leafHash);
const checkpoint = signCheckpoint({ size: 11, root: merkleRoot(leaves) }, log);
const policy = { logKey: log, witnesses: [ann, bob, cid], quorum: 2 };

function proofOf(index: number, signatures: readonly NoteSignature[] = cosignatures()): TlogProof {
  const { text, signatures: own } = checkpoint.note;
  return {
    extra: null,
    index,
    inclusion: inclusionProof(hashes, index),
    checkpoint: formatNote({ text, signatures: [...own, ...signatures] }),
  };
}

function cosignatures(): NoteSignature[] {
  return [cosign(checkpoint, cid, time + 2), cosign(checkpoint, ann, time)];
}

function hashOf(index: number): Uint8Array {
  return leafHash(Uint8Array.of(40 + index));
}

const bytes = formatTlogProof(proofOf(6));

test('has the lines that the format says, and the checkpoint as it came', () => {
  const extra = Uint8Array.of(1, 2, 3, 4);
  const lines = new TextDecoder().decode(formatTlogProof({ ...proofOf(6), extra })).split('\n');
  const base64 = proofOf(6).inclusion.map((hash) => Buffer.from(hash).toString('base64'));
  const head = ['c2sp.org/tlog-proof@v1', 'extra AQIDBA==', 'index 6', ...base64, ''];
  expect(lines.slice(0, head.length)).toEqual(head);
  expect(lines.slice(head.length).join('\n')).toBe(new TextDecoder().decode(proofOf(6).checkpoint));
});

test('shows every leaf to be where it is, and who says so', () => {
  for (const index of leaves.keys()) {
    const proven = verifyTlogProof(
      formatTlogProof(proofOf(index)),
      hashOf(index),
      policy,
      testVerify,
    );
    expect(proven).toMatchObject({
      index,
      leafHash: hashOf(index),
      checkpoint: { origin: log.name, size: 11 },
      cosignatures: [
        { name: ann.name, timestampSeconds: time },
        { name: cid.name, timestampSeconds: time + 2 },
      ],
    });
  }
});

test('is read as it was written', () => {
  for (const extra of [null, Uint8Array.of(9)]) {
    const proof = { ...proofOf(10), extra };
    expect(parseTlogProof(formatTlogProof(proof))).toEqual(proof);
  }
  const alone = { ...proofOf(0), inclusion: [] };
  expect(parseTlogProof(formatTlogProof(alone))).toEqual(alone);
});

test('any flipped bit is refused', () => {
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const flipped = bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    expect(() => verifyTlogProof(flipped, hashOf(6), { ...policy, quorum: 2 }, testVerify)).toThrow(
      expect.objectContaining({ name: 'LogError' }),
    );
  }
});

test('bytes have one reading or none, and never fail otherwise', () => {
  let read = 0;
  fc.assert(
    fc.property(
      fc.nat(bytes.length - 1),
      fc.uint8Array({ maxLength: 3 }),
      fc.nat(2),
      (at, put, cut) => {
        const changed = Uint8Array.of(...bytes.slice(0, at), ...put, ...bytes.slice(at + cut));
        try {
          expect(formatTlogProof(parseTlogProof(changed))).toEqual(changed);
          read += 1;
        } catch (error) {
          expect(error).toMatchObject({
            name: 'LogError',
            code: expect.stringMatching(/^(TLOG_PROOF|NOTE)$/),
          });
        }
      },
    ),
    { seed: 5, numRuns: 1000 },
  );
  expect(read).toBeGreaterThan(50);
});

describe('what is not shown is refused', () => {
  const refusal = (proof: TlogProof, leaf = hashOf(6), quorum = 2) => {
    try {
      verifyTlogProof(formatTlogProof(proof), leaf, { ...policy, quorum }, testVerify);
      return 'shown';
    } catch (error) {
      return Reflect.get(Object(error), 'code');
    }
  };
  const other = signCheckpoint({ size: 12, root: checkpoint.root }, log);

  test('a leaf that is not there', () => {
    expect(refusal(proofOf(6), hashOf(7))).toBe('INCLUSION');
    expect(refusal(proofOf(6), new Uint8Array(31))).toBe('INCLUSION');
    expect(refusal({ ...proofOf(6), index: 7 })).toBe('INCLUSION');
    expect(refusal({ ...proofOf(6), index: 11 })).toBe('INCLUSION');
    expect(refusal({ ...proofOf(6), inclusion: proofOf(7).inclusion })).toBe('INCLUSION');
  });

  test('what too few witnesses saw, however often one says it', () => {
    const twice = [cosign(checkpoint, ann, time), cosign(checkpoint, ann, time + 1)];
    expect(refusal(proofOf(6, twice))).toBe('QUORUM');
    expect(refusal(proofOf(6, twice), hashOf(6), 1)).toBe('shown');
    expect(refusal(proofOf(6, []), hashOf(6), 1)).toBe('QUORUM');
    expect(refusal(proofOf(6, []), hashOf(6), 0)).toBe('shown');
    const stranger = testWitness('stranger.example', testSeed(8));
    expect(refusal(proofOf(6, [cosign(checkpoint, stranger, time), ...twice]))).toBe('QUORUM');
  });

  test('what witnesses said of another checkpoint', () => {
    const moved = [cosign(checkpoint, ann, time), cosign(other, bob, time)];
    expect(refusal(proofOf(6, moved))).toBe('NOTE_SIGNATURE');
  });

  test('what the log did not sign, though enough witnesses did', () => {
    const { text } = checkpoint.note;
    const unsigned = formatNote({ text, signatures: cosignatures() });
    expect(refusal({ ...proofOf(6), checkpoint: unsigned })).toBe('NOTE_SIGNATURE');
  });

  test('another log', () => {
    const elsewhere = testLog('elsewhere.example/log', testSeed(3));
    const note = encodeCheckpoint(signCheckpoint({ size: 11, root: checkpoint.root }, elsewhere));
    expect(refusal({ ...proofOf(6), checkpoint: note })).toBe('CHECKPOINT');
  });
});

const text = new TextDecoder().decode(bytes);
const [firstLine = '', indexLine = '', hashLine = ''] = text.split('\n');
const note = new TextDecoder().decode(proofOf(6).checkpoint);
test.each([
  ['nothing', ''],
  ['a checkpoint', note],
  ['another version', text.replace('@v1', '@v2')],
  ['no first line', text.slice(firstLine.length + 1)],
  ['no index', text.replace(`${indexLine}\n`, '')],
  ['an index with a zero before it', text.replace(indexLine, 'index 06')],
  ['a negative index', text.replace(indexLine, 'index -6')],
  ['an index of 2^53', text.replace(indexLine, 'index 9007199254740992')],
  ['two spaces', text.replace(indexLine, 'index  6')],
  ['empty extra data', text.replace(indexLine, `extra \n${indexLine}`)],
  ['extra data that is not base 64', text.replace(indexLine, `extra a\n${indexLine}`)],
  ['extra data twice', text.replace(indexLine, `extra AA==\nextra AA==\n${indexLine}`)],
  ['extra data after the index', text.replace(indexLine, `${indexLine}\nextra AA==`)],
  ['a hash of 31 bytes', text.replace(hashLine, Buffer.alloc(31).toString('base64'))],
  ['a hash without padding', text.replace(hashLine, hashLine.slice(0, -1))],
  ['64 hashes', text.replace(hashLine, `${hashLine}\n`.repeat(64).trimEnd())],
  ['a carriage return', text.replace(indexLine, `${indexLine}\r`)],
])('is no proof: %s', (_, text) => {
  expect(() => parseTlogProof(encodeText(text))).toThrow(
    expect.objectContaining({ code: 'TLOG_PROOF' }),
  );
});

test.each([
  ['no checkpoint', `${firstLine}\n${indexLine}\n\n`],
  [
    'a checkpoint without signatures',
    `${firstLine}\n${indexLine}\n\n${parseNote(encodeText(note)).text}`,
  ],
])('has no note: %s', (_, text) => {
  expect(() => parseTlogProof(encodeText(text))).toThrow(expect.objectContaining({ code: 'NOTE' }));
});

test(`has at most ${MAX_TLOG_PROOF_BYTES} bytes, whatever is in them`, () => {
  const extra = (size: number) => ({ ...proofOf(6), extra: new Uint8Array(size) });
  expect(parseTlogProof(formatTlogProof(extra(190_000))).extra).toHaveLength(190_000);
  expect(() => formatTlogProof(extra(200_000))).toThrow(
    expect.objectContaining({ code: 'TLOG_PROOF' }),
  );
});

test.each([
  ['an index that is none', { index: 1.5 }],
  ['an index that would be written with an exponent', { index: 1e21 }],
  ['extra data of no bytes', { extra: new Uint8Array() }],
  ['a hash of 31 bytes', { inclusion: [new Uint8Array(31)] }],
])('cannot be written: %s', (_, change) => {
  expect(() => formatTlogProof({ ...proofOf(6), ...change })).toThrow(
    expect.objectContaining({ code: 'TLOG_PROOF' }),
  );
});

test.each([
  ['more witnesses than there are', { quorum: 4 }],
  ['a negative number of witnesses', { quorum: -1 }],
  ['half a witness', { quorum: 1.5 }],
  ['one key under two names', { witnesses: [ann, { ...bob, publicKey: ann.publicKey }] }],
  ['one witness twice', { witnesses: [ann, ann] }],
  ['the log as its own witness', { witnesses: [ann, { ...bob, publicKey: log.publicKey }] }],
])('no policy can ask for %s', (_, change) => {
  const changed = { ...policy, ...change };
  expect(() => verifyTlogProof(bytes, hashOf(6), changed, testVerify)).toThrow(RangeError);
});
