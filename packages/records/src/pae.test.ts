import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pae, recordId } from './pae.ts';

const { CONSILIUM_SHARED } = process.env;
const vectorFile = join(
  CONSILIUM_SHARED ?? join(import.meta.dirname, '../../../../shared'),
  'vectors/crypto_vectors.json',
);

const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

test.skipIf(!existsSync(vectorFile))('encodes the example of DSSE (shared vectors)', () => {
  const {
    type,
    body,
    pae: wanted,
  } = JSON.parse(readFileSync(vectorFile, 'utf8')).published.dsse_pae;
  expect(Buffer.from(pae(type, utf8(body))).toString('utf8')).toBe(wanted);
});

test('counts bytes, not characters, and keeps payload bytes as they are', () => {
  expect(Buffer.from(pae('ä', Uint8Array.of(0, 255))).toString('latin1')).toBe(
    `DSSEv1 2 ${Buffer.from('ä').toString('latin1')} 2 \0ÿ`,
  );
});

test('gives no two pairs one encoding', () => {
  const text = fc.string({ unit: fc.constantFrom(' ', '1', '2', 'a'), maxLength: 4 });
  fc.assert(
    fc.property(text, text, text, text, (typeA, a, typeB, b) => {
      const same = Buffer.compare(pae(typeA, utf8(a)), pae(typeB, utf8(b))) === 0;
      expect(same).toBe(typeA === typeB && a === b);
    }),
    { seed: 3, numRuns: 2000 },
  );
});

test('names a record by SHA-256 of that', () => {
  const wanted = createHash('sha256').update('DSSEv1 1 t 1 p').digest('hex');
  expect(Buffer.from(recordId('t', utf8('p'))).toString('hex')).toBe(wanted);
});
