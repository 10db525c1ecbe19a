import { keyFromSeed, type RecordDraft, signRecord } from '@consilium/records';
import { expect, test } from 'vitest';
import { admissionOf } from './admission.ts';
import { OwnLog } from './own-log.ts';

const [member, stranger] = [1, 2].map((byte) => keyFromSeed(new Uint8Array(32).fill(byte))) as [
  ReturnType<typeof keyFromSeed>,
  ReturnType<typeof keyFromSeed>,
];
const wanted = (author: string): number => (author === member.id ? 3 : 0);

/** The log of a member with so many records. */
function ownLog(size: number, init: Partial<ConstructorParameters<typeof OwnLog>[2]> = {}): OwnLog {
  const head = { size, last: null, root: new Uint8Array(32) };
  return new OwnLog(member.id, { head: () => head } as never, {
    sizeBeforeDamage: 0,
    isRestoring: false,
    ...init,
  });
}
const others = { admit: () => undefined };

function entry(key: typeof member, index: number): Uint8Array {
  return signRecord(key, {
    kind: 'notice',
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
  expect(() => admissionOf(wanted, others)(entry(member, 2))).not.toThrow();
});

test.each([
  ['a stranger', entry(stranger, 0), { code: 'NOT_ADMITTED' }],
  ['a member who says more than the study can need', entry(member, 3), { code: 'NOT_ADMITTED' }],
  ['bytes that are no record', new Uint8Array(9), { name: 'RecordError' }],
])('does not take %s', (_, bytes, error) => {
  expect(() => admissionOf(wanted, others)(bytes)).toThrow(expect.objectContaining(error));
});

test('refuses a record of its own beyond its log, and from then on says that the disk is an old copy', () => {
  const own = ownLog(2);
  const admit = admissionOf(wanted, own);
  expect(() => admit(entry(member, 1))).not.toThrow();
  expect(() => own.check()).not.toThrow();
  expect(() => admit(entry(member, 2))).toThrow(expect.objectContaining({ code: 'ROLLED_BACK' }));
  expect(() => own.check()).toThrow(expect.objectContaining({ code: 'ROLLED_BACK' }));
});

test('takes its own records back after damage, as far as they are known to have been there', () => {
  const own = ownLog(1, { sizeBeforeDamage: 2 });
  expect(own.isRecovering).toBe(true);
  expect(() => admissionOf(wanted, own)(entry(member, 1))).not.toThrow();
  expect(() => admissionOf(wanted, own)(entry(member, 2))).toThrow(
    expect.objectContaining({ code: 'ROLLED_BACK' }),
  );
});

test('takes all of its own records when the operator restores from the members', () => {
  const own = ownLog(0, { isRestoring: true });
  for (const index of [0, 1, 2]) admissionOf(wanted, own)(entry(member, index));
  expect(() => own.check()).not.toThrow();
});
