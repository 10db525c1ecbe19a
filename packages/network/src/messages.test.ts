import { createHash } from 'node:crypto';
import { encodeCanonical, keyFromSeed } from '@consilium/records';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBlobReply, decodeBlobRequest, encodeBlobMessage } from './blob-message.ts';
import { isViolation } from './error.ts';
import { PROTOCOL_LIMITS } from './limits.ts';
import { mutate, seededDraw } from './mutations.ts';
import { decodeSummary, encodeSummary, MAX_INDEX, type Summary } from './summary.ts';
import { decodeSyncAnswer, decodeSyncRequest, encodeSyncMessage } from './sync-message.ts';

const digest = new Uint8Array(32).fill(8);

const everybody = Array.from(
  { length: 257 },
  (_, i) => keyFromSeed(createHash('sha256').update(`${i}`).digest()).id,
).sort();

function sites(count: number): string[] {
  return everybody.slice(0, count);
}

function summaryOf(count: number): Summary {
  const authors = sites(count);
  return {
    heads: authors.map((author) => ({ author, size: MAX_INDEX, root: digest, last: digest })),
    forks: authors.map((author) => ({ author, index: MAX_INDEX })),
  };
}

test('the largest summary fits into an announcement', () => {
  const largest = summaryOf(PROTOCOL_LIMITS.summaryEntries);
  const bytes = encodeSummary(largest);
  expect(bytes.length).toBeLessThanOrEqual(PROTOCOL_LIMITS.announcementBytes);
  expect(decodeSummary(bytes)).toEqual(largest);
  expect(() => decodeSummary(encodeSummary(summaryOf(257)))).toThrow();
});

test('the largest answers fit into their frames', () => {
  const entries = [
    ...Array.from({ length: 255 }, () => new Uint8Array(PROTOCOL_LIMITS.entryBytesPerFrame / 255)),
    new Uint8Array(PROTOCOL_LIMITS.entryBytes),
  ];
  const answer = encodeSyncMessage({ type: 'entries', entries });
  expect(answer.length).toBeLessThanOrEqual(PROTOCOL_LIMITS.syncFrameBytes);
  expect(decodeSyncAnswer(answer)).toMatchObject({ type: 'entries' });
  const chunk = new Uint8Array(PROTOCOL_LIMITS.chunkBytes);
  const reply = encodeBlobMessage({ type: 'bytes', index: 511, bytes: chunk });
  expect(reply.length).toBeLessThanOrEqual(PROTOCOL_LIMITS.blobFrameBytes);
  const list = Array.from({ length: 512 }, () => digest);
  const offer = encodeBlobMessage({ type: 'blob', size: PROTOCOL_LIMITS.blobBytes, chunks: list });
  expect(decodeBlobReply(offer)).toMatchObject({ size: PROTOCOL_LIMITS.blobBytes });
});

const [author = '', other = ''] = sites(2);
const head = { author, size: 1, root: digest, last: digest };

test.each<[string, (bytes: Uint8Array) => unknown, unknown]>([
  [
    'a summary with an unknown field',
    decodeSummary,
    { type: 'summary', heads: [], forks: [], x: 1 },
  ],
  ['a summary without forks', decodeSummary, { type: 'summary', heads: [] }],
  [
    'a head of size 0',
    decodeSummary,
    { type: 'summary', heads: [{ ...head, size: 0 }], forks: [] },
  ],
  [
    'a head of size 1.5',
    decodeSummary,
    { type: 'summary', heads: [{ ...head, size: 1.5 }], forks: [] },
  ],
  [
    'a short root',
    decodeSummary,
    { type: 'summary', heads: [{ ...head, root: digest.subarray(1) }], forks: [] },
  ],
  ['an author twice', decodeSummary, { type: 'summary', heads: [head, head], forks: [] }],
  [
    'authors in another order',
    decodeSummary,
    { type: 'summary', heads: [{ ...head, author: other }, head], forks: [] },
  ],
  [
    'an author that is no site',
    decodeSummary,
    { type: 'summary', heads: [{ ...head, author: 'me' }], forks: [] },
  ],
  ['a read of nothing', decodeSyncRequest, { type: 'read', author, from: 0, count: 0 }],
  ['a read of too much', decodeSyncRequest, { type: 'read', author, from: 0, count: 257 }],
  ['a read from below', decodeSyncRequest, { type: 'read', author, from: -1, count: 1 }],
  ['an answer for a request', decodeSyncRequest, { type: 'entries', entries: [] }],
  ['half a proof', decodeSyncAnswer, { type: 'proof', entries: [digest] }],
  ['an empty entry', decodeSyncAnswer, { type: 'entries', entries: [new Uint8Array(0)] }],
  [
    'an entry above the limit',
    decodeSyncAnswer,
    { type: 'entries', entries: [new Uint8Array(262_145)] },
  ],
  ['a chunk out of range', decodeBlobRequest, { type: 'chunk', digest, index: 512 }],
  ['a digest of 31 bytes', decodeBlobRequest, { type: 'open', digest: digest.subarray(1) }],
  [
    'a list that does not fit the size',
    decodeBlobReply,
    { type: 'blob', size: 600_000, chunks: [digest] },
  ],
  ['a blob above the limit', decodeBlobReply, { type: 'blob', size: 2 ** 28 + 1, chunks: [] }],
  ['a list for a map', decodeBlobReply, ['absent']],
])('refuses %s', (_, decode, value) => {
  const read = (): unknown => decode(encodeCanonical(value));
  expect(read).toThrow(expect.objectContaining({ code: 'FRAME_MALFORMED' }));
});

test('mutated messages are refused as violations, or read as another valid message', () => {
  const messages: [(bytes: Uint8Array) => unknown, Uint8Array][] = [
    [decodeSummary, encodeSummary(summaryOf(3))],
    [decodeSyncRequest, encodeSyncMessage({ type: 'read', author, from: 3, count: 5 })],
    [decodeSyncAnswer, encodeSyncMessage({ type: 'entries', entries: [digest, digest] })],
    [decodeBlobRequest, encodeBlobMessage({ type: 'chunk', digest, index: 4 })],
    [decodeBlobReply, encodeBlobMessage({ type: 'blob', size: 600_000, chunks: [digest, digest] })],
  ];
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(...messages), (seed, [decode, bytes]) => {
      try {
        decode(mutate(bytes, seededDraw(seed)));
      } catch (error) {
        expect(isViolation(error)).toBe(true);
      }
    }),
    { seed: 3, numRuns: 3_000 },
  );
});
