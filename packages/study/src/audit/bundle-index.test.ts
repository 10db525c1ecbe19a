import { expect, test } from 'vitest';
import {
  authorOfName,
  type BundleIndex,
  checkpointFileName,
  digestOfName,
  encodeIndex,
  forkFileName,
  logFileName,
  parseIndex,
  payloadFileName,
} from './bundle-index.ts';

const index: BundleIndex = {
  format: 'consilium audit bundle',
  version: 1,
  study: '1a'.repeat(32),
  payloads: true,
  state: {
    digest: '2b'.repeat(32),
    heads: [{ author: 'somebody', size: 3, root: '3c'.repeat(32) }],
  },
  files: [
    { name: 'manifest.cbor', bytes: 700, sha256: '4d'.repeat(32) },
    { name: 'logs/somebody.log', bytes: 0, sha256: '5e'.repeat(32) },
  ],
};

function encoded(change: (copy: { [key: string]: unknown }) => unknown): Uint8Array {
  const copy: { [key: string]: unknown } = structuredClone({ ...index });
  change(copy);
  return new TextEncoder().encode(`${JSON.stringify(copy, null, 1)}\n`);
}

test('an index that is read is the one that was written', () => {
  expect(parseIndex(encodeIndex(index))).toEqual(index);
  expect(parseIndex(encoded(() => undefined))).toEqual(index);
});

test.each<[string, Uint8Array]>([
  ['other bytes', Uint8Array.of(0xff, 0x7b)],
  ['no JSON', new TextEncoder().encode('{')],
  ['another version', encoded((copy) => (copy['version'] = 2))],
  ['another format', encoded((copy) => (copy['format'] = 'zip'))],
  ['one field too many', encoded((copy) => (copy['more'] = 1))],
  ['one field too few', encoded((copy) => delete copy['payloads'])],
  ['a study that is no digest', encoded((copy) => (copy['study'] = '1A'.repeat(32)))],
  ['a state without heads', encoded((copy) => (copy['state'] = { digest: '2b'.repeat(32) }))],
  ['a size that is none', encoded((copy) => (copy['files'] = [{ ...index.files[0], bytes: -1 }]))],
  ['a file named twice', encoded((copy) => (copy['files'] = [index.files[0], index.files[0]]))],
  ['no new line at its end', encodeIndex(index).slice(0, -1)],
  ['other white space', new TextEncoder().encode(`${JSON.stringify(index)}\n`)],
])('an index with %s is refused', (_, bytes) => {
  expect(() => parseIndex(bytes)).toThrow(expect.objectContaining({ code: 'BUNDLE_FORMAT' }));
});

test('names of files say what they are about', () => {
  const digest = '0f'.repeat(32);
  expect(digestOfName(payloadFileName(digest))).toBe(digest);
  expect(digestOfName('payloads/0f.payload')).toBeNull();
  expect(authorOfName('logs', logFileName('somebody'))).toBe('somebody');
  expect(authorOfName('forks', forkFileName('somebody'))).toBe('somebody');
  expect(authorOfName('checkpoints', checkpointFileName('somebody', 17))).toBe('somebody');
  expect(authorOfName('logs', forkFileName('somebody'))).toBeNull();
  expect(checkpointFileName('somebody', 17)).toBe('checkpoints/somebody/0000000017.note');
});
