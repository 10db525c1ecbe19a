import { createHash } from 'node:crypto';
import { MAX_NOTE_BYTES } from '@consilium/log';
import { encodeCanonical, keyFromSeed } from '@consilium/records';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isViolation } from './error.ts';
import { PROTOCOL_LIMITS } from './limits.ts';
import { mutate, seededDraw } from './mutations.ts';
import {
  decodeWitnessAnswer,
  decodeWitnessRequest,
  encodeWitnessAnswer,
  encodeWitnessRequest,
  type WitnessAnswer,
  type WitnessRequest,
} from './witness-message.ts';

const digest = new Uint8Array(32).fill(8);
const note = new Uint8Array(900).fill(65);
const site = (n: number): string => keyFromSeed(createHash('sha256').update(`${n}`).digest()).id;
const [author = '', other = ''] = [site(1), site(2)].sort();
const claim = { author, size: 7, root: digest, cosigned: 3, cosigners: digest };
const contradiction = { smaller: note, larger: note, root: digest, proof: [digest, digest] };

const requests: WitnessRequest[] = [
  { type: 'cosign', request: { oldSize: 3, proof: [digest, digest], checkpoint: note } },
  { type: 'cosign', request: { oldSize: 0, proof: [], checkpoint: note } },
  { type: 'latest' },
  { type: 'note', author, size: 2 ** 32 },
];
const answers: WitnessAnswer[] = [
  { type: 'cosigned', line: note.subarray(0, 512) },
  { type: 'conflict', size: 0 },
  { type: 'contradiction', contradiction },
  { type: 'refused', code: 'behind' },
  { type: 'latest', notes: [claim, { ...claim, size: 9 }, { ...claim, author: other }] },
  { type: 'note', note },
  { type: 'absent' },
];

test.each(requests)('reads back the request $type', (request) => {
  expect(decodeWitnessRequest(encodeWitnessRequest(request))).toEqual(request);
});

test.each(answers)('reads back the answer $type', (answer) => {
  expect(decodeWitnessAnswer(encodeWitnessAnswer(answer))).toEqual(answer);
});

test('the largest messages fit into their frames', () => {
  const proof = Array.from({ length: PROTOCOL_LIMITS.proofHashes }, () => digest);
  const checkpoint = new Uint8Array(PROTOCOL_LIMITS.checkpointBytes);
  const request = { oldSize: 2 ** 32, proof, checkpoint };
  expect(encodeWitnessRequest({ type: 'cosign', request }).length).toBeLessThanOrEqual(
    PROTOCOL_LIMITS.requestBytes,
  );
  const notes = Array.from({ length: PROTOCOL_LIMITS.noteClaims }, () => ({
    ...claim,
    size: 2 ** 32,
    cosigned: PROTOCOL_LIMITS.summaryEntries,
  }));
  const largest: WitnessAnswer[] = [
    { type: 'latest', notes },
    { type: 'note', note: new Uint8Array(PROTOCOL_LIMITS.noteBytes) },
  ];
  for (const answer of largest) {
    expect(encodeWitnessAnswer(answer).length).toBeLessThanOrEqual(
      PROTOCOL_LIMITS.witnessFrameBytes,
    );
  }
  expect(PROTOCOL_LIMITS.noteBytes).toBe(MAX_NOTE_BYTES);
});

const cosign = { type: 'cosign', oldSize: 3, proof: [digest], checkpoint: note };

test.each<[string, (bytes: Uint8Array) => unknown, unknown]>([
  ['a request of another protocol', decodeWitnessRequest, { type: 'read', author, from: 0 }],
  ['an answer for a request', decodeWitnessRequest, { type: 'absent' }],
  ['a field too many', decodeWitnessRequest, { type: 'latest', author }],
  ['an old size below 0', decodeWitnessRequest, { ...cosign, oldSize: -1 }],
  ['an old size that no log has', decodeWitnessRequest, { ...cosign, oldSize: 2 ** 32 + 1 }],
  ['64 hashes', decodeWitnessRequest, { ...cosign, proof: new Array(64).fill(digest) }],
  ['a hash of 31 bytes', decodeWitnessRequest, { ...cosign, proof: [digest.subarray(1)] }],
  ['no checkpoint', decodeWitnessRequest, { ...cosign, checkpoint: new Uint8Array(0) }],
  ['a long checkpoint', decodeWitnessRequest, { ...cosign, checkpoint: new Uint8Array(1_025) }],
  ['a note of an empty log', decodeWitnessRequest, { type: 'note', author, size: 0 }],
  ['a note of nobody', decodeWitnessRequest, { type: 'note', author: 'me', size: 1 }],
  ['a line of 513 bytes', decodeWitnessAnswer, { type: 'cosigned', line: new Uint8Array(513) }],
  ['a conflict with half a record', decodeWitnessAnswer, { type: 'conflict', size: 0.5 }],
  ['a refusal for no known reason', decodeWitnessAnswer, { type: 'refused', code: 'moody' }],
  ['half a contradiction', decodeWitnessAnswer, { type: 'contradiction', smaller: note }],
  [
    'a note above the limit',
    decodeWitnessAnswer,
    { type: 'note', note: new Uint8Array(PROTOCOL_LIMITS.noteBytes + 1) },
  ],
  ['one note twice', decodeWitnessAnswer, { type: 'latest', notes: [claim, claim] }],
  [
    'notes in another order',
    decodeWitnessAnswer,
    { type: 'latest', notes: [{ ...claim, author: other }, claim] },
  ],
  [
    'sizes in another order',
    decodeWitnessAnswer,
    { type: 'latest', notes: [{ ...claim, size: 9 }, claim] },
  ],
  [
    'more cosignatures than members',
    decodeWitnessAnswer,
    { type: 'latest', notes: [{ ...claim, cosigned: 257 }] },
  ],
  [
    'more notes than logs can have',
    decodeWitnessAnswer,
    {
      type: 'latest',
      notes: Array.from({ length: 513 }, (_, i) => ({ ...claim, size: i + 1 })),
    },
  ],
])('refuses %s', (_, decode, value) => {
  expect(() => decode(encodeCanonical(value))).toThrow(
    expect.objectContaining({ code: 'FRAME_MALFORMED' }),
  );
});

test('mutated messages are refused as violations, or read as another valid message', () => {
  const messages: [(bytes: Uint8Array) => unknown, Uint8Array][] = [
    ...requests.map((request) => [decodeWitnessRequest, encodeWitnessRequest(request)] as const),
    ...answers.map((answer) => [decodeWitnessAnswer, encodeWitnessAnswer(answer)] as const),
  ].map(([decode, bytes]) => [decode, bytes]);
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(...messages), (seed, [decode, bytes]) => {
      try {
        decode(mutate(bytes, seededDraw(seed)));
      } catch (error) {
        expect(isViolation(error)).toBe(true);
      }
    }),
    { seed: 4, numRuns: 3_000 },
  );
});
