import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogError } from './error.ts';
import {
  checkNoteSignature,
  encodeText,
  formatNote,
  formatNoteSignature,
  formatVerifierKey,
  type LogKey,
  MAX_NOTE_BYTES,
  MAX_SIGNATURES,
  type NoteSignature,
  noteKeyId,
  parseNote,
  parseNoteSignature,
  parseVerifierKey,
} from './signed-note.ts';
import { testLog, testSeed, testVerify, testWitness } from './test-signer.ts';

const { CONSILIUM_SHARED } = process.env;
const shared = CONSILIUM_SHARED ?? join(import.meta.dirname, '../../../../shared');
const vectorFile = join(shared, 'vectors/crypto_vectors.json');

const log = testLog('hospital.example/log', testSeed(3));
const signature = (text: string, signer = log): NoteSignature => ({
  name: signer.name,
  keyId: noteKeyId(signer),
  signature: signer.sign(encodeText(text)),
});
const text = 'two lines\n\nand an empty one\n';
const note = { text, signatures: [signature(text)] };
const line = formatNoteSignature(signature(text));

describe.skipIf(!existsSync(vectorFile))('published notes (shared vectors)', () => {
  const { c2sp_signed_note, go_note } = existsSync(vectorFile)
    ? JSON.parse(readFileSync(vectorFile, 'utf8')).published
    : {};

  test('are read, verified under their key and written as they were', () => {
    for (const { vkey, note } of [c2sp_signed_note, go_note]) {
      const key = parseVerifierKey(vkey);
      const parsed = parseNote(encodeText(note));
      expect(formatVerifierKey(key)).toBe(vkey);
      expect(formatNote(parsed)).toEqual(encodeText(note));
      if (key.type !== 'ed25519') throw new TypeError('both keys are of logs');
      expect(() => checkNoteSignature(parsed, key, testVerify)).not.toThrow();
      const changed = { ...parsed, text: parsed.text.replace('e', 'E') };
      expect(() => checkNoteSignature(changed, key, testVerify)).toThrow(LogError);
    }
  });

  test('are signed as Go signs them', () => {
    const { skey, note } = go_note;
    const [, , name, id, ...parts] = skey.split('+'); // base 64 has plus signs of its own
    const encoded = parts.join('+');
    const signer = testLog(name, new Uint8Array(Buffer.from(encoded, 'base64').subarray(1)));
    const { text } = parseNote(encodeText(note));
    expect(noteKeyId(signer)).toBe(Number.parseInt(id, 16));
    expect(formatNote({ text, signatures: [signature(text, signer)] })).toEqual(encodeText(note));
  });
});

test('the text reaches to the last empty line', () => {
  const parsed = parseNote(formatNote(note));
  expect(parsed).toEqual(note);
  const forged = `${text}\n${line}\n\n${line}\n`; // a note whose text ends with the lines of another
  expect(parseNote(encodeText(forged)).text).toBe(`${text}\n${line}\n`);
});

test('a byte order mark is part of the text, as it was when the text was signed', () => {
  const marked = '\ufeffa text\n';
  expect(parseNote(formatNote({ text: marked, signatures: [signature(marked)] })).text).toBe(
    marked,
  );
});

const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .map((s) => s.replace(/[\p{White_Space}\p{Cc}+]/gu, '.'))
  .filter((s) => s.length > 0);
const anySignature = fc.record({
  name,
  keyId: fc.nat(2 ** 32 - 1),
  signature: fc.uint8Array({ minLength: 1, maxLength: 90 }),
});
const anyText = fc
  .array(fc.string({ unit: 'grapheme', maxLength: 12 }).map((s) => s.replace(/\p{Cc}/gu, ' ')))
  .map((lines) => `${lines.join('\n')}\n`);

test('what is written is read as it was, whatever it says', () => {
  fc.assert(
    fc.property(
      anyText,
      fc.array(anySignature, { minLength: 1, maxLength: 5 }),
      (text, signatures) => {
        expect(parseNote(formatNote({ text, signatures }))).toEqual({ text, signatures });
      },
    ),
    { seed: 1, numRuns: 300 },
  );
});

test('bytes have one reading or none: what is read is written as the same bytes', () => {
  const good = formatNote(note);
  let read = 0;
  fc.assert(
    fc.property(
      fc.nat(good.length - 1),
      fc.uint8Array({ maxLength: 3 }),
      fc.nat(2),
      (at, put, cut) => {
        const bytes = Uint8Array.of(...good.slice(0, at), ...put, ...good.slice(at + cut));
        try {
          const parsed = parseNote(bytes);
          read += 1;
          expect(formatNote(parsed)).toEqual(bytes);
        } catch (error) {
          expect(error).toMatchObject({ name: 'LogError', code: 'NOTE' });
        }
      },
    ),
    { seed: 2, numRuns: 2000 },
  );
  expect(read).toBeGreaterThan(100);
});

test.each([
  ['nothing', ''],
  ['a text alone', text],
  ['no empty line before the signatures', `a\n${line}\n`],
  ['no text before the empty line', `\n${line}\n`],
  ['no signature', `${text}\n`],
  ['an empty line after the signatures', `${text}\n${line}\n\n`],
  ['no newline at the end', `${text}\n${line}`],
  ['something after the signatures', `${text}\n${line}\nx\n`],
  ['a hyphen for a dash', `${text}\n${line.replace('—', '-')}\n`],
  ['two spaces', `${text}\n${line.replace(' ', '  ')}\n`],
  ['a space at the end', `${text}\n${line} \n`],
  ['a signature without a name', `${text}\n${line.replace(log.name, '')}\n`],
  ['a plus in the name', `${text}\n${line.replace('.example', '+example')}\n`],
  ['a no-break space in the name', `${text}\n${line.replace('.example', '\u00a0example')}\n`],
  ['an ideographic space in the name', `${text}\n${line.replace('.example', '\u3000example')}\n`],
  ['a line separator in the name', `${text}\n${line.replace('.example', '\u2028example')}\n`],
  ['base 64 without padding', `${text}\n${line.replace(/=+$/, '')}\n`],
  ['base 64 for addresses', `${text}\n${line.replace(/[+/]/g, '-')}\n`],
  ['base 64 with bits that mean nothing', `${text}\n— a AAAAAAB=\n`],
  ['a key id and no signature', `${text}\n— a AAAAAA==\n`],
  ['a carriage return', `a\r\n\n${line}\n`],
  ['a tab', `a\tb\n\n${line}\n`],
  ['a zero byte', `a\0b\n\n${line}\n`],
])('is no note: %s', (_, bytes) => {
  expect(() => parseNote(encodeText(bytes))).toThrow(expect.objectContaining({ code: 'NOTE' }));
});

test.each([
  ['a byte that begins nothing', [0xff]],
  ['a character cut short', [0xe2, 0x80]],
  ['a long form of a slash', [0xc0, 0xaf]],
  ['half of a surrogate pair', [0xed, 0xa0, 0x80]],
])('is no UTF-8: %s', (_, broken) => {
  const bytes = Uint8Array.of(...broken, ...encodeText(`\n\n${line}\n`));
  expect(() => parseNote(bytes)).toThrow(expect.objectContaining({ code: 'NOTE' }));
});

test(`bears up to ${MAX_SIGNATURES} signatures and ${MAX_NOTE_BYTES} bytes`, () => {
  const many = (count: number) => encodeText(`a\n\n${'— a AAAAAAE=\n'.repeat(count)}`);
  expect(parseNote(many(MAX_SIGNATURES)).signatures).toHaveLength(MAX_SIGNATURES);
  const long = (size: number) => encodeText(`\n\n${line}\n`.padStart(size, 'x'));
  expect(long(MAX_NOTE_BYTES).length - MAX_NOTE_BYTES).toBe(2); // the dash has three bytes
  expect(parseNote(long(MAX_NOTE_BYTES - 2)).text).toHaveLength(MAX_NOTE_BYTES - line.length - 4);
  const refused = expect.objectContaining({ code: 'NOTE' });
  expect(() => parseNote(many(MAX_SIGNATURES + 1))).toThrow(refused);
  expect(() => parseNote(long(MAX_NOTE_BYTES - 1))).toThrow(refused);
});

test('names have up to 255 bytes', () => {
  const named = (name: string) => formatNoteSignature({ ...signature(text), name });
  expect(parseNoteSignature(named('é'.repeat(127))).name).toHaveLength(127);
  expect(() => named('é'.repeat(128))).toThrow(expect.objectContaining({ code: 'NOTE' }));
});

test.each([
  ['a text without its last newline', { ...note, text: 'a' }],
  ['no text', { ...note, text: '' }],
  ['half of a surrogate pair', { ...note, text: 'a\ud800\n' }],
  ['a control character', { ...note, text: 'a\u0007\n' }],
  ['no signature', { ...note, signatures: [] }],
  [
    'a signature of nothing',
    { ...note, signatures: [{ name: 'a', keyId: 1, signature: new Uint8Array() }] },
  ],
  ['a name with a newline', { ...note, signatures: [{ ...signature(text), name: 'a\nb' }] }],
  [
    'a name with half of a surrogate pair',
    { ...note, signatures: [{ ...signature(text), name: 'a\ud800' }] },
  ],
  ['a key id of 33 bits', { ...note, signatures: [{ ...signature(text), keyId: 2 ** 32 }] }],
])('cannot be written: %s', (_, broken) => {
  expect(() => formatNote(broken)).toThrow(expect.objectContaining({ code: 'NOTE' }));
});

describe('whose signature it is', () => {
  const other = testLog('hospital.example/other', testSeed(4));
  const stranger = testLog(log.name, testSeed(5));
  const check = (signatures: NoteSignature[], key: LogKey = log): void =>
    checkNoteSignature({ text, signatures }, key, testVerify);
  const refused = expect.objectContaining({ code: 'NOTE_SIGNATURE' });

  test('is told by name and key id together', () => {
    expect(() =>
      check([signature(text, other), signature(text), signature(text, stranger)]),
    ).not.toThrow();
    expect(() => check([signature(text, stranger)])).toThrow(refused);
    expect(() => check([{ ...signature(text, other), keyId: noteKeyId(log) }])).toThrow(refused);
  });

  test('is nobody’s when the key signed another text', () => {
    expect(() => check([signature('another\n')])).toThrow(refused);
  });

  test('makes the note worthless when one of the key’s own does not verify', () => {
    expect(() => check([signature(text), signature('another\n')])).toThrow(refused);
    const short = { ...signature(text), signature: signature(text).signature.slice(1) };
    expect(() => check([signature(text), short])).toThrow(refused);
    const unasked = () => checkNoteSignature({ text, signatures: [short] }, log, () => true);
    expect(unasked).toThrow(refused); // whatever a lenient verifier makes of it
  });

  test('is looked at no more than sixteen times', () => {
    const times = (count: number) => Array.from({ length: count }, () => signature(text));
    expect(() => check(times(16))).not.toThrow();
    expect(() => check(times(17))).toThrow(refused);
  });

  test('does not matter where a stranger’s does not verify', () => {
    expect(() => check([signature('another\n', other), signature(text)])).not.toThrow();
  });

  test('is not a witness’s, of the same name and key', () => {
    const witness = testWitness(log.name, testSeed(3));
    expect(witness.publicKey).toEqual(log.publicKey);
    expect(noteKeyId(witness)).not.toBe(noteKeyId(log));
    expect(() => check([{ ...signature(text), keyId: noteKeyId(witness) }])).toThrow(refused);
  });
});

describe('verifier keys', () => {
  const vkey = formatVerifierKey(log);

  test('are read as they were written, for logs and witnesses', () => {
    const { name, publicKey } = log;
    expect(parseVerifierKey(vkey)).toEqual({ type: 'ed25519', name, publicKey });
    const witness = { type: 'cosignature', name, publicKey } as const;
    expect(parseVerifierKey(formatVerifierKey(witness))).toEqual(witness);
  });

  test.each([
    ['nothing', ''],
    ['a name alone', log.name],
    ['another name than its id says', vkey.replace('hospital', 'hospitals')],
    ['another key than its id says', vkey.replace(/.=*$/, (end) => (end === 'A' ? 'B' : 'A'))],
    ['an id in capitals', vkey.replace(/\+[0-9a-f]{8}\+/, (id) => id.toUpperCase())],
    ['a key cut short', `${vkey.slice(0, -4)}`],
    ['a space in the name', vkey.replace('.example', ' example')],
    ['something after it', `${vkey}\n`],
    ['a type that is not used here', typed(2)],
    ['the type of another algorithm', typed(6)],
  ])('are not: %s', (_, text) => {
    expect(() => parseVerifierKey(text)).toThrow(expect.objectContaining({ code: 'NOTE_KEY' }));
  });

  test.each([
    ['a name with a space', { ...log, name: 'a b' }],
    ['no name', { ...log, name: '' }],
    ['a key of 31 bytes', { ...log, publicKey: log.publicKey.slice(1) }],
  ])('are not made of %s', (_, key) => {
    expect(() => formatVerifierKey(key)).toThrow(RangeError);
  });

  /** The key's text as a reader would have it that does not look at the type, its id fitting. */
  function typed(type: number): string {
    const bytes = Buffer.from([type, ...log.publicKey]);
    const hash = createHash('sha256').update(`${log.name}\n`).update(bytes).digest('hex');
    return `${log.name}+${hash.slice(0, 8)}+${bytes.toString('base64')}`;
  }
});
