import { expect, test } from 'vitest';
import {
  testEquivocation,
  testEvaluation,
  testKey,
  testManifest,
  testPolicy,
  testReserve,
  testUnknown,
  testUpdate,
} from './fixtures.ts';
import { parseRecord } from './record.ts';

const key = testKey(1);
const other = testKey(2);
const bytes32 = new Uint8Array(32);
const head = { author: key.id, size: 3, root: bytes32 };

/** `value` with the field at `path` replaced, or removed for `undefined`. */
function withField(value: unknown, path: string, field: unknown): unknown {
  const [first = '', ...rest] = path.split('.');
  const copy = Array.isArray(value) ? [...value] : { ...Object(value) };
  const next =
    rest.length === 0 ? field : withField(Reflect.get(copy, first), rest.join('.'), field);
  if (next === undefined) Reflect.deleteProperty(copy, first);
  else Reflect.set(copy, first, next);
  return copy;
}

test('accepts the records that the refusals below are made from', () => {
  expect(parseRecord(testManifest(key))).toMatchObject({ known: true, kind: 'manifest' });
  expect(parseRecord(testUpdate(key))).toMatchObject({ known: true, kind: 'update' });
  expect(parseRecord(testEvaluation(key))).toMatchObject({ known: true, kind: 'evaluation' });
});

test('keeps a kind that it does not know, body and all', () => {
  expect(parseRecord({ ...withoutKnown(testUnknown(key)) })).toMatchObject({
    known: false,
    kind: 'notice',
    body: { added: ['somebody'], at: 1.5 },
  });
});

function withoutKnown(draft: object): object {
  const { known: _, ...rest } = Object(draft);
  return rest;
}

test.each<[string, unknown]>([
  ['kind', 'Update'],
  ['kind', 'up date'],
  ['kind', 'a'.repeat(65)],
  ['kind', 7],
  ['version', 2],
  ['version', undefined],
  ['study', null],
  ['study', new Uint8Array(31)],
  ['study', 'x'.repeat(32)],
  ['index', 2 ** 32],
  ['index', -1],
  ['index', 1.5],
  ['index', Number.NaN],
  ['index', 0], // with a previous one
  ['previous', null], // at index 1
  ['previous', new Uint8Array(33)],
  ['heads', null],
  ['heads', [{ ...head, size: 0 }]],
  ['heads', [{ ...head, root: new Uint8Array(20) }]],
  ['heads', [head, head]],
  ['heads', [head, { ...head, author: other.id }].sort((a, b) => (a.author < b.author ? 1 : -1))],
  ['heads', Array.from({ length: 257 }, () => head)],
  ['known', true],
  ['extra', 1],
  ['body', undefined],
  ['body', null],
  ['body.round', 0],
  ['body.round', 100_001],
  ['body.base', new Uint8Array(31)],
  ['body.payload.bytes', 0],
  ['body.payload.bytes', 2 ** 31 + 1],
  ['body.payload.digest', undefined],
  ['body.steps', 0],
  ['body.steps', 1e9 + 1],
  ['body.privacy', { profile: 'strict' }],
  ['body.privacy', { profile: 'off', epsilon: 1 }],
  ['body.privacy', { profile: 'off', reserve: 3 }],
  ['body.privacy', { profile: 'balanced', reserve: -1 }],
  ['body.privacy', { profile: 'balanced', reserve: 2 ** 32 }],
  ['body.privacy', { profile: 'weak', reserve: 3 }],
  ['body.note', 'x'],
])('refuses an update whose %s is %s', (path, value) => {
  expect(() => parseRecord(withField(testUpdate(key), path, value))).toThrow(
    expect.objectContaining({ code: 'SCHEMA' }),
  );
});

test.each<[string, unknown]>([
  ['body.round', 0],
  ['body.sampleRate', 0],
  ['body.sampleRate', 1.01],
  ['body.noiseMultiplier', 0],
  ['body.noiseMultiplier', Number.POSITIVE_INFINITY],
  ['body.steps', 0],
  ['body.steps', 2.5],
  ['body.epsilon', -0.1],
  ['body.epsilon', Number.NaN],
  ['body.patients', 213],
])('refuses a reservation whose %s is %s', (path, value) => {
  expect(() => parseRecord(withField(testReserve(key), path, value))).toThrow(
    expect.objectContaining({ code: 'SCHEMA' }),
  );
});

test.each<[keyof typeof testPolicy, unknown]>([
  ['profile', 'weak'],
  ['epsilon', 0],
  ['epsilon', 10_001],
  ['delta', 0],
  ['delta', 0.2],
  ['sampleRate', 0],
  ['sampleRate', 1.5],
  ['noiseMultiplier', 0],
  ['noiseMultiplier', -1.75],
  ['clipNorm', 0],
  ['clipNorm', Number.NaN],
  ['gradientExponent', 1],
  ['slicesPerPatient', 0],
  ['slicesPerPatient', 65],
  ['trainable', []],
  ['trainable', ['encoder/1/bias']],
  ['trainable', ['encoder/0/bias', 'encoder/0/bias']],
  ['trainable', ['encoder/0/bias', 'encoder/0/kernel']],
])('refuses a manifest whose privacy has %s %s', (field, value) => {
  const manifest = withField(testManifest(key), 'body.privacy', { ...testPolicy, [field]: value });
  expect(() => parseRecord(manifest)).toThrow(expect.objectContaining({ code: 'SCHEMA' }));
});

test('reads a manifest with privacy, a reservation, and the update that it pays for', () => {
  const manifest = withField(testManifest(key), 'body.privacy', testPolicy);
  expect(parseRecord(manifest)).toMatchObject({ known: true, body: { privacy: testPolicy } });
  expect(parseRecord(testReserve(key))).toMatchObject({ known: true, body: { steps: 40 } });
  const privacy = { profile: 'balanced', reserve: 3 };
  expect(parseRecord(withField(testUpdate(key), 'body.privacy', privacy))).toMatchObject({
    body: { privacy },
  });
});

const [trainer, validator] = testManifest(key).body.roster;

test.each<[string, unknown]>([
  ['study', bytes32],
  ['body.name', ''],
  ['body.name', 'x'.repeat(129)],
  ['body.name', 'two\nlines'],
  ['body.name', 'right-to-left \u202e override'],
  ['body.task', null],
  ['body.task', []],
  ['body.task', bytes32],
  ['body.task', { big: 'x'.repeat(65_536) }],
  ['body.task', { value: Number.NaN }],
  ['body.task', { value: new Date(0) }],
  ['body.task', { value: 2n }],
  ['body.layout', []],
  ['body.layout', [{ name: '', shape: [1] }]],
  ['body.layout', [{ name: 'a', shape: [0] }]],
  ['body.layout', [{ name: 'a', shape: [1.5] }]],
  ['body.layout', [{ name: 'a', shape: new Array(9).fill(1) }]],
  ['body.layout', [{ name: 'a', shape: [2 ** 13, 2 ** 14] }]],
  [
    'body.layout',
    [
      { name: 'a', shape: [2] },
      { name: 'a', shape: [2] },
    ],
  ],
  ['body.layout', [{ name: 'site/norm', shape: [2] }]],
  ['body.layout', Array.from({ length: 4097 }, (_, i) => ({ name: `t${i}`, shape: [] }))],
  ['body.initialWeights.digest', new Uint8Array(20)],
  ['body.gridExponent', 1],
  ['body.gridExponent', -61],
  ['body.aggregation', { rule: 'krum' }],
  ['body.rounds.count', 0],
  ['body.rounds.deadlineSeconds', 0],
  ['body.rounds.deadlineSeconds', 2_592_001],
  ['body.rounds.quorum', 0],
  ['body.rounds.quorum', 2], // one trainer
  ['body.witnesses', undefined],
  ['body.witnesses', { quorum: 1, members: [] }],
  ['body.witnesses.quorum', -1],
  ['body.witnesses.quorum', 0.5],
  ['body.witnesses.quorum', 2], // one other site
  ['body.roster', []],
  ['body.roster', [validator]], // nobody who trains
  ['body.roster', [trainer, trainer]],
  ['body.roster', [{ ...trainer, patients: 0 }]],
  ['body.roster', [trainer, { ...validator, patients: 1 }]],
  ['body.roster', [{ ...trainer, role: 'admin' }]],
  ['body.roster', [{ ...trainer, name: '\u0007' }]],
  ['body.roster', [{ ...trainer, addresses: ['127.0.0.1:80'] }]],
  ['body.roster', [{ ...trainer, addresses: ['/ip4/1.2.3.4', '/ip4/1.2.3.4'] }]],
  ['body.roster', [{ ...trainer, addresses: new Array(17).fill('/a') }]],
  ['body.roster', [{ ...trainer, addresses: [`/${'a'.repeat(256)}`] }]],
])('refuses a manifest whose %s is %s', (path, value) => {
  expect(() => parseRecord(withField(testManifest(key), path, value))).toThrow(
    expect.objectContaining({ code: 'SCHEMA' }),
  );
});

test('a log has at most as many witnesses as there are other sites', () => {
  const others = [11, 12, 13, 14].map((n) => ({ ...validator, site: testKey(n).id }));
  const manifest = withField(testManifest(key), 'body.roster', [trainer, ...others]);
  for (const quorum of [0, 3, 4]) {
    const founded = withField(manifest, 'body.witnesses.quorum', quorum);
    expect(parseRecord(founded)).toMatchObject({ body: { witnesses: { quorum } } });
  }
  expect(() => parseRecord(withField(manifest, 'body.witnesses.quorum', 5))).toThrow(
    expect.objectContaining({ code: 'SCHEMA' }),
  );
});

test.each<[string, unknown]>([
  ['body.smaller', new Uint8Array()],
  ['body.smaller', new Uint8Array(1_025)],
  ['body.larger', new Uint8Array(1_025)],
  ['body.larger', 'a note'],
  ['body.root', new Uint8Array(31)],
  ['body.proof', [new Uint8Array(33)]],
  ['body.proof', new Array(64).fill(bytes32)],
  ['body.proof', undefined],
  ['body.index', 3],
])('refuses an equivocation whose %s is %s', (path, value) => {
  expect(parseRecord(testEquivocation(key))).toMatchObject({ known: true, kind: 'equivocation' });
  expect(() => parseRecord(withField(testEquivocation(key), path, value))).toThrow(
    expect.objectContaining({ code: 'SCHEMA' }),
  );
});

const metric = { name: 'dice', value: 0.5, low: 0.4, high: 0.6 };

test.each<[string, unknown]>([
  ['body.round', -1],
  ['body.state', new Uint8Array(31)],
  ['body.patients', 0],
  ['body.patients', 1.5],
  ['body.metrics', []],
  ['body.metrics', [metric, metric]],
  ['body.metrics', [{ ...metric, name: 'Dice' }]],
  ['body.metrics', [{ ...metric, value: Infinity }]],
  ['body.metrics', [{ ...metric, value: null }]],
  ['body.metrics', [{ ...metric, low: 0.7 }]],
  ['body.metrics', [{ ...metric, unit: 'ml' }]],
  ['body.metrics', Array.from({ length: 257 }, (_, i) => ({ ...metric, name: `m${i}` }))],
])('refuses an evaluation whose %s is %s', (path, value) => {
  expect(() => parseRecord(withField(testEvaluation(key), path, value))).toThrow(
    expect.objectContaining({ code: 'SCHEMA' }),
  );
});

test.each(['author', 'heads.0.author', 'body.roster.0.site'])(
  'refuses a text that is no PeerId as %s',
  (path) => {
    const record = path.startsWith('body') ? testManifest(key) : testUpdate(key);
    expect(() => parseRecord(withField(record, path, 'somebody'))).toThrow(
      expect.objectContaining({ code: 'SITE_ID' }),
    );
  },
);

test('copies byte strings, so that a Buffer or a later change does not get in', () => {
  const base = Buffer.alloc(32, 4);
  const record = parseRecord(withField(testUpdate(key), 'body.base', base));
  base.fill(0);
  expect(record).toEqual({ ...testUpdate(key), known: true });
});

test('does not repeat what somebody else wrote in its messages', () => {
  const act = () => parseRecord(withField(testUpdate(key), 'body.base', 'Jane Doe, 1970'));
  expect(act).toThrow('record.body.base: wanted 32 bytes, got a text of 14 characters');
});

test.each([null, 7, 'text', [], bytes32, new Map()])('refuses %s as a record', (value) => {
  expect(() => parseRecord(value)).toThrow(expect.objectContaining({ code: 'SCHEMA' }));
});
