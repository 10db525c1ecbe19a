import { keyFromSeed, type ManifestBody, type RecordDraft, signRecord } from '@consilium/records';
import type { Founding } from '@consilium/study';
import { createLayout } from '@consilium/weights';
import { expect, test } from 'vitest';
import { admissionOf } from './admission.ts';

const [member, stranger] = [1, 2].map((byte) => keyFromSeed(new Uint8Array(32).fill(byte))) as [
  ReturnType<typeof keyFromSeed>,
  ReturnType<typeof keyFromSeed>,
];
const founding = {
  manifest: { roster: [{ site: member.id }] } as unknown as ManifestBody,
  layout: createLayout([{ name: 'a', shape: [1] }]),
  weightOf: new Map(),
  recordLimit: 3,
} satisfies Founding;

function entry(key: typeof member, index: number): Uint8Array {
  return signRecord(key, {
    kind: 'reserve',
    known: false,
    version: 1,
    study: new Uint8Array(32),
    author: key.id,
    index,
    previous: index === 0 ? null : new Uint8Array(32),
    heads: [],
    body: {},
  } satisfies RecordDraft);
}

test('takes what a member says, as much as the study can need', () => {
  expect(() => admissionOf(founding)(entry(member, 2))).not.toThrow();
});

test.each([
  ['a stranger', entry(stranger, 0), { code: 'NOT_ADMITTED' }],
  ['a member who says more than the study can need', entry(member, 3), { code: 'NOT_ADMITTED' }],
  ['bytes that are no record', new Uint8Array(9), { name: 'RecordError' }],
])('does not take %s', (_, bytes, error) => {
  expect(() => admissionOf(founding)(bytes)).toThrow(expect.objectContaining(error));
});
