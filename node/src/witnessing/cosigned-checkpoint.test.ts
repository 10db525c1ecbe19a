import {
  cosign,
  encodeCheckpoint,
  formatNote,
  type NoteSignature,
  noteKeyId,
  parseNote,
  type VerifiedCheckpoint,
} from '@consilium/log';
import { type SiteKey, sign } from '@consilium/records';
import { logKeyOf, witnessKeyOf } from '@consilium/study';
import { expect, test } from 'vitest';
import {
  type CosignedCheckpoint,
  encodeCosigned,
  merged,
  openCosigned,
  withCosignature,
} from './cosigned-checkpoint.ts';
import { checkpointOf, story, study, testKey } from './witnessing-fixture.ts';

const [author, one, two, stranger] = [1, 2, 3, 9].map(testKey) as [
  SiteKey,
  SiteKey,
  SiteKey,
  SiteKey,
];
const members = [author, one, two].map(({ id }) => id);
const entries = story(author, 9, 9, 'a');
const checkpoint = checkpointOf(author, entries, 7);

function cosigned(
  by: SiteKey,
  seconds: number,
  of: VerifiedCheckpoint = checkpoint,
  signer = by,
): NoteSignature {
  const key = witnessKeyOf(study, by.id);
  return cosign(of, { ...key, sign: (message) => sign(message, signer.secretKey) }, seconds);
}

/** The author's note with these lines added. */
function note(...added: NoteSignature[]): Uint8Array {
  const { text, signatures } = parseNote(encodeCheckpoint(checkpoint));
  return formatNote({ text, signatures: [...signatures, ...added] });
}

const open = (bytes: Uint8Array): CosignedCheckpoint => openCosigned(bytes, study, members);

test('keeps the latest cosignature of each member and leaves strangers out', () => {
  const foreign = { ...cosigned(one, 5), name: 'general.example/witness' };
  const opened = open(
    note(cosigned(two, 40), foreign, cosigned(one, 50), cosigned(one, 60), cosigned(stranger, 70)),
  );
  expect(opened.site).toBe(author.id);
  expect(
    [...opened.cosignatures].map(([site, { timestampSeconds }]) => [site, timestampSeconds]),
  ).toEqual(
    expect.arrayContaining([
      [one.id, 60],
      [two.id, 40],
    ]),
  );
  expect(opened.cosignatures.size).toBe(2);
  const written = encodeCosigned(opened, study);
  expect(parseNote(written).signatures).toHaveLength(3);
  expect(open(written)).toEqual({ ...opened, checkpoint: expect.anything() });
  // The order of arrival is not seen in what is written.
  const other = open(note(cosigned(one, 60), cosigned(two, 40)));
  expect(encodeCosigned(other, study)).toEqual(written);
});

test.each<[string, () => Uint8Array, string]>([
  [
    'that the author did not sign',
    () => encodeCheckpoint(checkpointOf(author, entries, 7, one)),
    'NOTE_SIGNATURE',
  ],
  [
    'with rubbish in a member’s name',
    () => note(cosigned(one, 5, checkpoint, two)),
    'NOTE_SIGNATURE',
  ],
  [
    'with a cosignature of another checkpoint',
    () => note(cosigned(one, 5, checkpointOf(author, entries, 8))),
    'NOTE_SIGNATURE',
  ],
  [
    'of a stranger’s log',
    () => encodeCheckpoint(checkpointOf(stranger, story(stranger, 3, 3, ''), 3)),
    'CHECKPOINT',
  ],
  ['that is none', () => new TextEncoder().encode('nothing'), 'NOTE'],
])('refuses a note %s', (_, make, code) => {
  expect(() => open(make())).toThrow(expect.objectContaining({ code }));
});

test('an author’s own cosignature, or its log signature twice, counts for nothing', () => {
  const { signatures } = parseNote(encodeCheckpoint(checkpoint));
  const opened = open(note(cosigned(author, 5), ...signatures));
  expect(opened.cosignatures.size).toBe(0);
  expect(encodeCosigned(opened, study)).toEqual(encodeCheckpoint(checkpoint));
});

test('takes one more cosignature, and none that is not one', () => {
  const bare = open(note());
  const grown = withCosignature(bare, cosigned(one, 5), one.id, study);
  expect([...grown.cosignatures.keys()]).toEqual([one.id]);
  expect(bare.cosignatures.size).toBe(0);
  for (const wrong of [cosigned(two, 5), cosigned(one, 5, checkpoint, two)]) {
    expect(() => withCosignature(bare, wrong, one.id, study)).toThrow(
      expect.objectContaining({ code: 'NOTE_SIGNATURE' }),
    );
  }
  // In the author's own name, under its log's key.
  const log = { ...cosigned(one, 5), keyId: noteKeyId(logKeyOf(study, one.id)) };
  expect(() => withCosignature(bare, log, one.id, study)).toThrow();
});

test('merging is the same from either side, and gives the first itself when nothing is new', () => {
  const [a, b] = [open(note(cosigned(one, 5))), open(note(cosigned(one, 9), cosigned(two, 4)))];
  expect(encodeCosigned(merged(a, b), study)).toEqual(encodeCosigned(merged(b, a), study));
  expect(merged(b, a)).toBe(b);
  expect(() => merged(a, open(encodeCheckpoint(checkpointOf(author, entries, 8))))).toThrow(
    RangeError,
  );
});
