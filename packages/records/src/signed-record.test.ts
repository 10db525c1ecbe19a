import { expect, test } from 'vitest';
import { decodeCanonical, encodeCanonical } from './canonical-cbor.ts';
import { sign } from './ed25519.ts';
import { decodeEnvelope, encodeEnvelope, MAX_ENVELOPE_BYTES } from './envelope.ts';
import {
  testEquivocation,
  testEvaluation,
  testKey,
  testManifest,
  testRosterChange,
  testRotation,
  testUnknown,
  testUpdate,
} from './fixtures.ts';
import { pae, recordId } from './pae.ts';
import { payloadTypeOf, type RecordDraft } from './record.ts';
import { logPlaceOf, openRecord, signRecord } from './signed-record.ts';

const key = testKey(1);
const drafts: [string, RecordDraft][] = [
  ['manifest', testManifest(key)],
  ['update', testUpdate(key)],
  ['evaluation', testEvaluation(key)],
  ['roster-change', testRosterChange(key)],
  ['rotation', testRotation(key)],
  ['equivocation', testEquivocation(key)],
  ['notice', testUnknown(key)],
];

/** Signs whatever value, without the checks of `signRecord`. */
function forge(value: unknown, { type = payloadTypeOf('update'), signer = key } = {}): Uint8Array {
  const payload = encodeCanonical(value);
  const signature = sign(pae(type, payload), signer.secretKey);
  return encodeEnvelope({ payloadType: type, payload, signature, signer: signer.id });
}

test.each(drafts)('opens what it signed: %s', (kind, draft) => {
  const envelope = signRecord(key, draft);
  const { id, record, leaf, envelope: kept } = openRecord(envelope);
  expect(record).toEqual({ ...draft, known: kind !== 'notice' });
  expect(kept).toEqual(envelope);
  const { payloadType, payload } = decodeEnvelope(envelope);
  expect(leaf).toEqual(pae(payloadType, payload));
  expect(id).toEqual(recordId(payloadType, payload));
});

test('gives the log its place of a record', () => {
  const draft = testUpdate(key, 5);
  const envelope = signRecord(key, draft);
  const { id, leaf } = openRecord(envelope);
  expect(logPlaceOf(envelope)).toEqual({
    author: key.id,
    index: 5,
    previous: draft.previous,
    id,
    leaf,
  });
});

test('keeps a record alive when the bytes it came in are overwritten', () => {
  const envelope = signRecord(key, testUpdate(key));
  const opened = openRecord(envelope);
  envelope.fill(0xff);
  expect(opened.record).toEqual({ ...testUpdate(key), known: true });
  expect(openRecord(opened.envelope).id).toEqual(opened.id);
});

test('refuses to sign for another author', () => {
  expect(() => signRecord(testKey(2), testUpdate(key))).toThrow(
    expect.objectContaining({ code: 'SIGNER' }),
  );
});

test('refuses to sign a known kind as an unknown one', () => {
  expect(() => signRecord(key, { ...testUpdate(key), known: false, body: { round: 1 } })).toThrow(
    expect.objectContaining({ code: 'SCHEMA' }),
  );
});

test('refuses to sign what nobody would accept for its size', () => {
  const body = { text: 'x'.repeat(MAX_ENVELOPE_BYTES - 300) };
  expect(() => signRecord(key, { ...testUpdate(key), kind: 'note', known: false, body })).toThrow(
    expect.objectContaining({ code: 'ENVELOPE_SIZE' }),
  );
});

test('forge makes records that open, so that the refusals below have their own cause', () => {
  expect(openRecord(forge(testUpdate(key))).record.kind).toBe('update');
});

test('refuses a record that somebody else signed in the name of its author', () => {
  expect(() => openRecord(forge(testUpdate(key), { signer: testKey(2) }))).toThrow(
    expect.objectContaining({ code: 'SIGNER' }),
  );
});

test('refuses a payload type that names another kind', () => {
  expect(() => openRecord(forge(testUpdate(key), { type: payloadTypeOf('evaluation') }))).toThrow(
    expect.objectContaining({ code: 'PAYLOAD_TYPE' }),
  );
});

test('refuses a signature over another payload type', () => {
  const payload = encodeCanonical(testUpdate(key));
  const signature = sign(pae('application/octet-stream', payload), key.secretKey);
  const payloadType = payloadTypeOf('update');
  const envelope = encodeEnvelope({ payloadType, payload, signature, signer: key.id });
  expect(() => openRecord(envelope)).toThrow(expect.objectContaining({ code: 'SIGNATURE' }));
});

test('refuses an envelope above the size limit before reading it', () => {
  expect(() => openRecord(new Uint8Array(MAX_ENVELOPE_BYTES + 1))).toThrow(
    expect.objectContaining({ code: 'ENVELOPE_SIZE' }),
  );
});

test('refuses an envelope with one more field', () => {
  const envelope = decodeCanonical(signRecord(key, testUpdate(key)));
  const more = encodeCanonical({ ...Object(envelope), more: 1 });
  expect(() => openRecord(more)).toThrow(expect.objectContaining({ code: 'SCHEMA' }));
});
