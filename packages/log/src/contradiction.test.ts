import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openCheckpoint, type VerifiedCheckpoint } from './checkpoint.ts';
import { type Contradiction, contradictedSize, contradictionOf } from './contradiction.ts';
import { consistencyProof, verifyConsistency } from './proof.ts';
import { encodeText, parseNote } from './signed-note.ts';
import { testLog, testSeed, testVerify } from './test-signer.ts';
import { checkpointOf, log, otherLog, story } from './witness-fixture.ts';

/** Both stories share their first seven leaves. */
const shared = 7;
const truth = story(0, shared, 40);
const lie = story(1, shared, 40);
const opened = (leaves: readonly Uint8Array[], size: number): VerifiedCheckpoint =>
  openCheckpoint(checkpointOf(leaves, size), log, testVerify);

/** The lie at `size1` against the truth at `size2`. */
function contradiction(size1: number, size2: number): Contradiction {
  const made = contradictionOf(opened(lie, size1), opened(truth, size2), log, truth);
  if (made === undefined) throw new TypeError('they do not contradict each other');
  return made;
}

const sizes = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }));

test('two checkpoints contradict each other just when the smaller tree reaches beyond what the stories share', () => {
  fc.assert(
    fc.property(sizes, (pair) => {
      const [size1 = 1, size2 = 1] = pair.toSorted((a, b) => a - b);
      const made = contradictionOf(opened(lie, size1), opened(truth, size2), log, truth);
      expect(made !== undefined).toBe(size1 > shared);
      if (made !== undefined) expect(contradictedSize(made, log, testVerify)).toBe(size1);
    }),
    { seed: 11, numRuns: 150 },
  );
});

test('checkpoints of one log that grew never contradict each other, with whatever hashes', () => {
  const hashes = fc.array(
    fc.constantFrom(...truth, ...contradiction(20, 33).proof, new Uint8Array(32), new Uint8Array()),
    { maxLength: 7 },
  );
  fc.assert(
    fc.property(sizes, hashes, fc.constantFrom(...truth), (pair, proof, root) => {
      const [size1 = 1, size2 = 1] = pair.toSorted((a, b) => a - b);
      const [smaller, larger] = [checkpointOf(truth, size1), checkpointOf(truth, size2)];
      expect(contradictedSize({ smaller, larger, root, proof }, log, testVerify)).toBeUndefined();
    }),
    { seed: 12, numRuns: 300 },
  );
});

test('checkpoints of one log with the true proof that it grew are no contradiction', () => {
  fc.assert(
    fc.property(sizes, (pair) => {
      const [size1 = 1, size2 = 1] = pair.toSorted((a, b) => a - b);
      const [smaller, larger] = [checkpointOf(truth, size1), checkpointOf(truth, size2)];
      const { root } = opened(truth, size1);
      const proof = consistencyProof(truth.slice(0, size2), size1);
      expect(
        verifyConsistency({ size1, root1: root, size2, root2: opened(truth, size2).root, proof }),
      ).toBe(true);
      expect(contradictedSize({ smaller, larger, root, proof }, log, testVerify)).toBeUndefined();
    }),
    { seed: 13, numRuns: 150 },
  );
});

test('between equal sizes it is a split view, and needs no leaves', () => {
  const made = contradictionOf(opened(lie, 19), opened(truth, 19), log, []);
  expect(made?.proof).toEqual([]);
  expect(made && contradictedSize(made, log, testVerify)).toBe(19);
});

test('keeps one signature of the log, and nothing that was added', () => {
  const { text, signatures } = parseNote(checkpointOf(lie, 19));
  const stranger = { name: 'stranger.example', keyId: 7, signature: new Uint8Array(500) };
  const note = { text, signatures: [stranger, ...signatures, ...signatures] };
  const made = contradictionOf({ ...opened(lie, 19), note }, opened(truth, 33), log, truth);
  expect(made?.smaller).toEqual(checkpointOf(lie, 19));
});

const good = contradiction(20, 33);
const thief = testLog(log.name, testSeed(9));

test.each<[string, Partial<Contradiction>]>([
  ['a checkpoint that somebody else signed', { smaller: checkpointOf(lie, 20, thief) }],
  ['a checkpoint of another log', { larger: checkpointOf(truth, 33, otherLog) }],
  ['no note', { smaller: encodeText('20\n') }],
  ['the smaller one for the larger', { smaller: good.larger, larger: good.smaller }],
  ['the smaller tree’s own root', { root: opened(lie, 20).root }],
  ['a root of 31 bytes', { root: good.root.subarray(1) }],
  ['a hash too few', { proof: good.proof.slice(1) }],
  ['a hash too many', { proof: [...good.proof, new Uint8Array(32)] }],
  [
    'a changed hash',
    { proof: good.proof.map((hash, i) => (i === 1 ? hash.map((b) => b ^ 1) : hash)) },
  ],
  ['the hashes of another size', { proof: contradiction(21, 33).proof }],
])('nothing less proves it: %s', (_, change) => {
  expect(contradictedSize(good, log, testVerify)).toBe(20);
  expect(contradictedSize({ ...good, ...change }, log, testVerify)).toBeUndefined();
});

test('an empty tree contradicts nothing', () => {
  expect(contradictionOf(opened(lie, 0), opened(truth, 33), log, truth)).toBeUndefined();
  const forged = { ...good, smaller: checkpointOf(lie, 0) };
  expect(contradictedSize(forged, log, testVerify)).toBeUndefined();
});

test('is not drawn up from what does not belong together', () => {
  const [one, other] = [opened(lie, 20), opened(truth, 33)];
  expect(() => contradictionOf(other, one, log, truth)).toThrow(RangeError);
  expect(() => contradictionOf(one, other, log, lie)).toThrow(RangeError);
  expect(() => contradictionOf(one, other, log, truth.slice(0, 32))).toThrow(RangeError);
  expect(() => contradictionOf(one, other, otherLog, truth)).toThrow(RangeError);
});
