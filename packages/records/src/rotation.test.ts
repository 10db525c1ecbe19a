import { expect, test } from 'vitest';
import { testKey } from './fixtures.ts';
import { consentToRotation, isConsented, rotationBody } from './rotation.ts';

const [from, to, other] = [testKey(1), testKey(2), testKey(3)];
const study = new Uint8Array(32).fill(7);
const place = { study, from: from.id, index: 9, to: to.id };
const body = consentToRotation(to, place);

test('the new key consents to one place of one log of one study', () => {
  expect(isConsented(body, place)).toBe(true);
  expect(isConsented(body, { ...place, index: 8 })).toBe(false);
  expect(isConsented(body, { ...place, from: other.id })).toBe(false);
  expect(isConsented(body, { ...place, study: new Uint8Array(32) })).toBe(false);
  expect(isConsented({ ...body, to: other.id }, place)).toBe(false);
});

test('nobody consents for another key', () => {
  expect(() => consentToRotation(other, place)).toThrow(RangeError);
});

test.each<[string, unknown, string]>([
  ['no key', { ...body, to: 'somebody' }, 'SITE_ID'],
  ['a short consent', { ...body, consent: new Uint8Array(63) }, 'SCHEMA'],
  ['a field too many', { ...body, at: 9 }, 'SCHEMA'],
])('refuses a rotation with %s', (_, value, code) => {
  expect(() => rotationBody(value, 'body')).toThrow(expect.objectContaining({ code }));
});
