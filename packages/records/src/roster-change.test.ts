import { expect, test } from 'vitest';
import { sign } from './ed25519.ts';
import { testKey, testManifest, testRosterChange } from './fixtures.ts';
import { recordId } from './pae.ts';
import { payloadTypeOf } from './record.ts';
import {
  approveRosterChange,
  isApprovedBy,
  rosterChangeId,
  rosterChangeMessage,
} from './roster-approval.ts';
import { type ProposedChange, type RosterChange, rosterChangeBody } from './roster-change.ts';

const [key, other] = [testKey(1), testKey(2)];
const study = new Uint8Array(32).fill(7);
const { body } = testRosterChange(key);
const [trainer] = testManifest(key).body.roster;
const from = { key: other.id, at: 12 };
const changes: RosterChange[] = [
  body.change,
  { kind: 'add', entry: { ...trainer, addresses: [] } as never },
  {
    kind: 'remove',
    site: other.id,
    until: [{ key: other.id, at: 5 }, from, { key: key.id, at: 0 }].slice(1),
  },
  { kind: 'role', site: other.id, role: 'observer', patients: 0, from },
  { kind: 'role', site: other.id, role: 'trainer', patients: 15, from },
  { kind: 'cap', site: other.id, patients: 15, from },
];

test.each(changes)('reads a change that says $kind', (change) => {
  expect(rosterChangeBody({ ...body, change }, 'body').change).toEqual(change);
});

test.each<[string, unknown]>([
  ['a number of 0', { ...body, number: 0 }],
  ['a number beyond the last', { ...body, number: 1001 }],
  ['a short previous', { ...body, previous: new Uint8Array(31) }],
  ['no kind', { ...body, change: { site: other.id } }],
  ['an unknown kind', { ...body, change: { kind: 'merge', site: other.id } }],
  ['a kind that every object has', { ...body, change: { kind: 'toString' } }],
  ['a field too many', { ...body, change: { ...body.change, reason: 'theft' } }],
  ['no end', { ...body, change: { kind: 'remove', site: other.id, until: [] } }],
  [
    'one key’s end twice',
    { ...body, change: { kind: 'remove', site: other.id, until: [from, from] } },
  ],
  [
    'a place beyond any log',
    { ...body, change: { ...changes[5], from: { ...from, at: 2 ** 32 } } },
  ],
  [
    'a validator with patients',
    { ...body, change: { ...changes[3], role: 'validator', patients: 5 } },
  ],
  ['a trainer without', { ...body, change: { ...changes[4], patients: 0 } }],
  ['a cohort of nobody', { ...body, change: { ...changes[5], patients: 0 } }],
  [
    'an entry without patients',
    { ...body, change: { kind: 'add', entry: { ...trainer, patients: 0 } } },
  ],
  ['one approval twice', { ...body, approvals: [body.approvals[0], body.approvals[0]] }],
  [
    'a short signature',
    { ...body, approvals: [{ ...body.approvals[0], signature: new Uint8Array(63) }] },
  ],
  [
    'an empty rotation',
    { ...body, approvals: [{ ...body.approvals[0], rotations: [new Uint8Array()] }] },
  ],
])('refuses a change with %s', (_, value) => {
  expect(() => rosterChangeBody(value, 'body')).toThrow(
    expect.objectContaining({ code: 'SCHEMA' }),
  );
});

test('takes approvals in the order of their keys and in no other', () => {
  const sorted = [key, other, testKey(3)]
    .map((each) => approveRosterChange(each, study, body))
    .sort((a, b) => (a.site < b.site ? -1 : 1));
  expect(rosterChangeBody({ ...body, approvals: sorted }, 'body').approvals).toHaveLength(3);
  expect(() => rosterChangeBody({ ...body, approvals: sorted.toReversed() }, 'body')).toThrow(
    expect.objectContaining({ code: 'SCHEMA' }),
  );
});

test('an approval holds for one study, number, predecessor and change, and for nothing else', () => {
  const approval = approveRosterChange(key, study, body);
  expect(isApprovedBy(approval, study, body)).toBe(true);
  const others: [Uint8Array, ProposedChange][] = [
    [new Uint8Array(32).fill(8), body],
    [study, { ...body, number: 3 }],
    [study, { ...body, previous: new Uint8Array(32).fill(3) }],
    [study, { ...body, change: { ...body.change, spentSteps: 239 } as RosterChange }],
  ];
  for (const [otherStudy, proposed] of others) {
    expect(isApprovedBy(approval, otherStudy, proposed)).toBe(false);
  }
  expect(isApprovedBy({ ...approval, site: other.id }, study, body)).toBe(false);
});

test('a malleated signature approves nothing', () => {
  const approval = approveRosterChange(key, study, body);
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = approval.signature.slice(32).reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
  const signature = new Uint8Array(approval.signature);
  for (let i = 0, rest = s + order; i < 32; i++, rest >>= 8n)
    signature[32 + i] = Number(rest & 255n);
  expect(signature).not.toEqual(approval.signature);
  expect(isApprovedBy({ ...approval, signature }, study, body)).toBe(false);
});

test('a change’s name does not depend on who approved it, only on what it says', () => {
  const { approvals: _, ...proposed } = body;
  expect(rosterChangeId(study, proposed)).toEqual(rosterChangeId(study, body));
  expect(rosterChangeId(study, { ...proposed, number: 3 })).not.toEqual(
    rosterChangeId(study, proposed),
  );
});

test('what signs a record does not sign an approval: the bytes name what they are', () => {
  const { approvals: _, ...proposed } = body;
  const message = rosterChangeMessage(study, proposed);
  expect(new TextDecoder().decode(message.subarray(0, 60))).toContain('roster-approval+cbor');
  const signature = sign(recordId(payloadTypeOf('roster-change'), message), key.secretKey);
  expect(isApprovedBy({ site: key.id, signature }, study, proposed)).toBe(false);
});

test('nobody is made to sign a change that nobody would take', () => {
  const change = { ...body.change, until: [] } as never;
  expect(() => approveRosterChange(key, study, { ...body, change })).toThrow(
    expect.objectContaining({ code: 'SCHEMA' }),
  );
});
