import { keyFromSeed } from '@consilium/records';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type AnswerClaim,
  formatDigest,
  noncePattern,
  parseDigest,
  signAnswer,
  verifyAnswer,
} from './answer-signature.ts';

const key = keyFromSeed(new Uint8Array(32).fill(1));
const other = keyFromSeed(new Uint8Array(32).fill(2));
const claim: AnswerClaim = {
  target: '/v1/states/latest?x=1',
  status: 200,
  nonce: 'abcdefghijklmnop',
  contentType: 'application/json',
  digest: new Uint8Array(32).fill(7),
};

const claims = fc.record({
  target: fc.webPath().map((path) => `/${path}`),
  status: fc.integer({ min: 100, max: 599 }),
  nonce: fc.option(fc.stringMatching(noncePattern), { nil: null }),
  contentType: fc.stringMatching(/^[a-z]+\/[a-z+]+$/),
  digest: fc.uint8Array({ minLength: 32, maxLength: 32 }),
});

test('what a site signed verifies, and for nothing else', () => {
  fc.assert(
    fc.property(claims, claims, (signed, asked) => {
      const header = signAnswer(key, signed);
      verifyAnswer(header, key.id, signed);
      for (const field of Object.keys(signed) as (keyof AnswerClaim)[]) {
        const changed = { ...signed, [field]: asked[field] };
        if (String(changed[field]) === String(signed[field])) continue;
        expect(() => verifyAnswer(header, key.id, changed)).toThrow(
          expect.objectContaining({ code: 'SIGNATURE' }),
        );
      }
    }),
    { seed: 8, numRuns: 40 },
  );
});

test('another site’s signature is none, however it is labelled', () => {
  const header = signAnswer(other, claim);
  expect(() => verifyAnswer(header, key.id, claim)).toThrow(/is signed by 12D3Koo.*, wanted/);
  expect(() => verifyAnswer(header.replace(other.id, key.id), key.id, claim)).toThrow(/is not one/);
});

const header = signAnswer(key, claim);
test.each([
  ['nothing', null],
  ['an empty text', ''],
  ['another order', header.split('; ').reverse().join('; ')],
  ['something behind it', `${header}; alg=none`],
  ['something before it', ` ${header}`],
  ['another encoding', header.replaceAll('+', '-').replaceAll('/', '_')],
  ['a signature cut short', header.slice(0, -4)],
  ['two', `${header}, ${header}`],
])('%s is no signature', (_, text) => {
  expect(() => verifyAnswer(text, key.id, claim)).toThrow(
    expect.objectContaining({ code: 'SIGNATURE' }),
  );
});

test('a part with a newline is not signed: one text would have two meanings', () => {
  expect(() => signAnswer(key, { ...claim, contentType: 'text/plain\nx' })).toThrow(RangeError);
});

test('is pinned', () => {
  expect(header).toBe(
    'site=12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5; signature=BHTaAZhtgi4LhXmtVOTetPUBXDwj9u6XIZqicNtjHTmNxS6E8NCqzAz+qtlG1GtuMTJgA1CTqxYpObVHBXVaAw==',
  );
});

test.each([
  ['what it wrote', formatDigest(claim.digest), claim.digest],
  ['nothing', null, null],
  ['another algorithm', formatDigest(claim.digest).replace('256', '512'), null],
  ['two', `${formatDigest(claim.digest)}, ${formatDigest(claim.digest)}`, null],
  ['too few bytes', 'sha-256=:AAAA:', null],
])('a digest is read from %s', (_, text, digest) => {
  expect(parseDigest(text)).toEqual(digest);
});
