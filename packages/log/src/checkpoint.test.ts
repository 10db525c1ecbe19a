import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Checkpoint,
  encodeCheckpoint,
  formatCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  parseDecimal,
  signCheckpoint,
} from './checkpoint.ts';
import { cosign } from './cosignature.ts';
import { encodeText, formatNote, noteKeyId } from './signed-note.ts';
import { testLog, testSeed, testVerify, testWitness } from './test-signer.ts';
import { emptyRoot, merkleRoot } from './tree.ts';

const log = testLog('hospital.example/log', testSeed(3));
const root = merkleRoot([Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)]);
const rootLine = Buffer.from(root).toString('base64');
const text = `${log.name}\n3\n${rootLine}\n`;

test('the published example is read and written as it is', () => {
  // From https://c2sp.org/tlog-checkpoint
  const example =
    'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';
  const checkpoint = parseCheckpoint(example);
  expect(checkpoint).toMatchObject({ origin: 'example.com/behind-the-sofa', size: 20_852_163 });
  expect(Buffer.from(checkpoint.root).toString('hex')).toMatch(/^0ac5186a.*ab62$/);
  expect(formatCheckpoint(checkpoint)).toBe(example);
});

test('what is signed is opened with the key of its log', () => {
  const signed = signCheckpoint({ size: 3, root }, log);
  const opened = openCheckpoint(encodeCheckpoint(signed), log, testVerify);
  expect(opened).toEqual(signed);
  expect(opened).toMatchObject({ origin: log.name, size: 3, root, extensions: [] });
  expect(opened.note.text).toBe(text);
});

test('is not changed through the root that it was signed with', () => {
  const given = new Uint8Array(root);
  const signed = signCheckpoint({ size: 3, root: given }, log);
  given.fill(0);
  expect(signed.root).toEqual(root);
});

test('keeps and shows the lines that the log added', () => {
  const checkpoint = parseCheckpoint(`${text}one more\nand another\n`);
  expect(checkpoint.extensions).toEqual(['one more', 'and another']);
  expect(formatCheckpoint(checkpoint)).toBe(`${text}one more\nand another\n`);
});

test('an origin may be any line: other logs’ have spaces', () => {
  expect(parseCheckpoint(`go.sum database tree\n3\n${rootLine}\n`).origin).toBe(
    'go.sum database tree',
  );
});

test.each([
  ['nothing', ''],
  ['no root', `${log.name}\n3\n`],
  ['no newline at the end', text.slice(0, -1)],
  ['an empty line at the end', `${text}\n`],
  ['an empty line among the added ones', `${text}one\n\nmore\n`],
  ['no origin', text.slice(log.name.length)],
  ['an origin of 256 bytes', `${'é'.repeat(128)}\n3\n${rootLine}\n`],
  ['an origin with a control character', `a\tb\n3\n${rootLine}\n`],
  ['half of a surrogate pair', `a\ud800\n3\n${rootLine}\n`],
  ['a size with a zero before it', text.replace('\n3\n', '\n03\n')],
  ['a signed size', text.replace('\n3\n', '\n+3\n')],
  ['a negative size', text.replace('\n3\n', '\n-3\n')],
  ['a size in hexadecimal', text.replace('\n3\n', '\n0x3\n')],
  ['a size with a space', text.replace('\n3\n', '\n3 \n')],
  ['a fractional size', text.replace('\n3\n', '\n3.0\n')],
  ['a size of no digits', text.replace('\n3\n', '\n\n')],
  ['a size of other digits', text.replace('\n3\n', '\n٣\n')],
  ['a size of 2^53', text.replace('\n3\n', '\n9007199254740992\n')],
  ['a time', text.replace('\n3\n', '\ntime 3\n')],
  ['a root of 31 bytes', text.replace(rootLine, Buffer.from(root.slice(1)).toString('base64'))],
  ['a root in hexadecimal', text.replace(rootLine, Buffer.from(root).toString('hex'))],
  [
    'a root whose last bits mean nothing',
    text.replace(rootLine, rootLine.replace(/.=$/, lastBitFlipped)),
  ],
  ['a root for an empty tree', text.replace('\n3\n', '\n0\n')],
])('is no checkpoint: %s', (_, text) => {
  expect(() => parseCheckpoint(text)).toThrow(expect.objectContaining({ code: 'CHECKPOINT' }));
});

test('an empty tree has one root', () => {
  expect(signCheckpoint({ size: 0, root: emptyRoot() }, log).size).toBe(0);
  expect(() => signCheckpoint({ size: 0, root }, log)).toThrow(RangeError);
});

const good: Checkpoint = { origin: log.name, size: 3, root, extensions: [] };
test.each([
  ['a fractional size', { ...good, size: 2.5 }],
  ['a negative size', { ...good, size: -1 }],
  ['a size beyond 2^53 - 1', { ...good, size: 2 ** 60 }],
  ['a root of 33 bytes', { ...good, root: new Uint8Array(33) }],
  ['no origin', { ...good, origin: '' }],
  ['an origin of two lines', { ...good, origin: `a\n3\n${rootLine}\nb` }],
  ['an empty line', { ...good, extensions: [''] }],
  ['a line that is two', { ...good, extensions: ['a\nb'] }],
])('cannot be written: %s', (_, checkpoint) => {
  expect(() => formatCheckpoint(checkpoint)).toThrow(RangeError);
});

test('a text has one reading or none', () => {
  let read = 0;
  fc.assert(
    fc.property(fc.nat(text.length), fc.string({ maxLength: 3 }), fc.nat(2), (at, put, cut) => {
      const changed = text.slice(0, at) + put + text.slice(at + cut);
      try {
        expect(formatCheckpoint(parseCheckpoint(changed))).toBe(changed);
        read += 1;
      } catch (error) {
        expect(error).toMatchObject({ name: 'LogError', code: 'CHECKPOINT' });
      }
    }),
    { seed: 3, numRuns: 1000 },
  );
  expect(read).toBeGreaterThan(50);
});

describe('is refused', () => {
  const bytes = encodeCheckpoint(signCheckpoint({ size: 3, root }, log));
  const refused = (code: string) => expect.objectContaining({ code });

  test('when any bit is flipped', () => {
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(() => openCheckpoint(flipped, log, testVerify)).toThrow(
        expect.objectContaining({ name: 'LogError' }),
      );
    }
  });

  test('when it is signed by another key of the same name', () => {
    const thief = testLog(log.name, testSeed(4));
    expect(() => openCheckpoint(bytes, thief, testVerify)).toThrow(refused('NOTE_SIGNATURE'));
  });

  test('when it is that of another log, though signed by the same key', () => {
    const other = testLog('hospital.example/other', testSeed(3));
    const signature = { name: log.name, keyId: noteKeyId(log) };
    const text = formatCheckpoint({ ...good, origin: other.name });
    const note = { text, signatures: [{ ...signature, signature: log.sign(encodeText(text)) }] };
    expect(() => openCheckpoint(formatNote(note), log, testVerify)).toThrow(refused('CHECKPOINT'));
    expect(() => openCheckpoint(formatNote(note), other, testVerify)).toThrow(
      refused('NOTE_SIGNATURE'),
    );
  });

  test('when it is what a witness signed of another log, though log and witness share their key', () => {
    const witness = testWitness(log.name, testSeed(3));
    const cosigned = cosign(signCheckpoint({ size: 3, root }, log), witness, 1_700_000_000);
    const note = {
      text: `cosignature/v1\ntime 1700000000\n${text}`,
      signatures: [
        { name: log.name, keyId: noteKeyId(log), signature: cosigned.signature.slice(8) },
      ],
    };
    expect(testVerify(log.publicKey, encodeText(note.text), cosigned.signature.slice(8))).toBe(
      true,
    );
    const named = testLog('cosignature/v1', testSeed(3));
    for (const key of [log, named]) {
      expect(() => openCheckpoint(formatNote(note), key, testVerify)).toThrow(
        refused('CHECKPOINT'),
      );
    }
  });
});

test('is not signed by a signer whose signatures are no Ed25519', () => {
  const broken = { ...log, sign: () => new Uint8Array(63) };
  expect(() => signCheckpoint({ size: 3, root }, broken)).toThrow(RangeError);
});

test.each([
  ['0', 0],
  ['10', 10],
  ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ['9007199254740992', undefined],
  ['00', undefined],
  ['1e3', undefined],
  ['', undefined],
  ['7\n', undefined],
])('%j is the number %s', (text, value) => {
  expect(parseDecimal(text)).toBe(value);
});

/** The same 32 bytes in a form with another last character, which lenient readers accept. */
function lastBitFlipped(end: string): string {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return `${digits[digits.indexOf(end.charAt(0)) ^ 1]}=`;
}
