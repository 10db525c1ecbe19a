import {
  type ManifestBody,
  RecordError,
  type RecordOf,
  signRecord,
  type UpdateBody,
} from '@consilium/records';
import { describe, expect, test } from 'vitest';
import { readPage, tableRows } from './page.ts';
import { SampleStudy } from './sample-study.ts';

const page = readPage('packages/docs/spec/records.md');
const study = new SampleStudy();
const key = study.key(1);

/** A field, words of its row on the page, the outermost values that are signed, and the next ones, which are not. */
type Range<Body> = readonly [
  field: string,
  stated: string,
  inside: readonly Partial<Body>[],
  outside: readonly Partial<Body>[],
];

const { record } = study.manifest;
if (!record.known || record.kind !== 'manifest') throw new TypeError('the sample is a manifest');
const manifest = record.body;
const rounds = (values: Partial<ManifestBody['rounds']>): Partial<ManifestBody> => ({
  rounds: { ...manifest.rounds, ...values },
});
const weights = (bytes: number): Partial<ManifestBody> => ({
  initialWeights: { ...manifest.initialWeights, bytes },
});

const manifestRanges: readonly Range<ManifestBody>[] = [
  [
    'name',
    '1…128',
    [{ name: 'x'.repeat(128) }],
    [{ name: '' }, { name: 'x'.repeat(129) }, { name: 'a\nb' }, { name: 'a\u202eb' }],
  ],
  [
    'task',
    '64 KiB',
    [{ task: { a: 'x'.repeat(65_000) } }, { task: nested(24) }],
    [{ task: { a: 'x'.repeat(65_536) } }, { task: nested(25) }],
  ],
  ['layout', 'none whose name starts with `site/`', [], [{ layout: [] }, layoutOf('site/bias')]],
  ['initialWeights', '1…2^31', [weights(1), weights(2 ** 31)], [weights(0), weights(2 ** 31 + 1)]],
  [
    'gridExponent',
    '−60…0',
    [{ gridExponent: -60 }, { gridExponent: 0 }],
    [{ gridExponent: -61 }, { gridExponent: 1 }],
  ],
  [
    'rounds',
    '1…100,000; 1…2,592,000; 1…the number of trainers',
    [
      rounds({ count: 100_000 }),
      rounds({ deadlineSeconds: 1 }),
      rounds({ deadlineSeconds: 2_592_000 }),
      rounds({ quorum: 2 }),
    ],
    [
      rounds({ count: 0 }),
      rounds({ count: 100_001 }),
      rounds({ deadlineSeconds: 0 }),
      rounds({ deadlineSeconds: 2_592_001 }),
      rounds({ quorum: 0 }),
      rounds({ quorum: 3 }),
    ],
  ],
  [
    'witnesses',
    '0…255, and fewer than the sites of the roster',
    [{ witnesses: { quorum: 0 } }, { witnesses: { quorum: 2 } }],
    [{ witnesses: { quorum: -1 } }, { witnesses: { quorum: 3 } }, { witnesses: { quorum: 256 } }],
  ],
  [
    'roster',
    'each site once',
    [],
    [{ roster: [] }, { roster: [...manifest.roster, ...manifest.roster] }],
  ],
];

const updateRanges: readonly Range<UpdateBody>[] = [
  ['round', '1…100,000', [{ round: 1 }, { round: 100_000 }], [{ round: 0 }, { round: 100_001 }]],
  ['steps', '1…10^9', [{ steps: 1 }, { steps: 1e9 }], [{ steps: 0 }, { steps: 1e9 + 1 }]],
  [
    'base',
    '32',
    [],
    [{ base: new Uint8Array(31) }, { base: new Uint8Array(33) }, { base: new Uint8Array(0) }],
  ],
];

describe('a manifest', () => {
  test.each(manifestRanges)('%s is %s', (field, stated, inside, outside) => {
    expect(rowOf('Manifest', field)).toContain(stated);
    for (const change of inside) expect(signedManifest({ ...manifest, ...change })).toBe('signed');
    for (const change of outside) expect(signedManifest({ ...manifest, ...change })).toBe('SCHEMA');
  });

  test('a roster entry keeps its own bounds', () => {
    const with1 = (change: Partial<ManifestBody['roster'][number]>): string => {
      const [first, ...rest] = manifest.roster as [ManifestBody['roster'][number]];
      return signedManifest({ ...manifest, roster: [{ ...first, ...change }, ...rest] });
    };
    const addresses = (count: number): string[] =>
      Array.from({ length: count }, (_, i) => `/dns4/n${i}.example/tcp/4001`);
    for (const words of ['1…64', '0…10,000,000', '0…16 different', '1…256 visible']) {
      expect(page.text).toContain(words);
    }
    expect(with1({ name: 'x'.repeat(64), addresses: addresses(16), patients: 1e7 })).toBe('signed');
    for (const change of [
      { name: 'x'.repeat(65) },
      { addresses: addresses(17) },
      { addresses: ['/a', '/a'] },
      { patients: 0 },
      { patients: 1e7 + 1 },
    ]) {
      expect(with1(change)).toBe('SCHEMA');
    }
    expect(with1({ site: key.id.slice(1) })).toBe('SITE_ID');
  });
});

describe('an update', () => {
  const { record } = study.update(1, 1, [0, 0, 0, 0, 0]);
  if (!record.known || record.kind !== 'update') throw new TypeError('the sample is an update');
  const update: RecordOf<'update'> = record;

  test.each(updateRanges)('%s is %s', (field, stated, inside, outside) => {
    const sign = (change: Partial<UpdateBody>): string =>
      outcome(() => signRecord(key, { ...update, body: { ...update.body, ...change } }));
    expect(rowOf('Update', field)).toContain(stated);
    for (const change of inside) expect(sign(change)).toBe('signed');
    for (const change of outside) expect(sign(change)).toBe('SCHEMA');
  });

  test('study, index and previous fit each other', () => {
    const id = new Uint8Array(32);
    for (const change of [
      { study: null },
      { index: 0, previous: id },
      { index: 5, previous: null },
    ]) {
      expect(outcome(() => signRecord(key, { ...update, ...change }))).toBe('SCHEMA');
    }
    const last = { ...update, index: 2 ** 32 - 1, previous: id };
    expect(outcome(() => signRecord(key, last))).toBe('signed');
    expect(outcome(() => signRecord(key, { ...last, index: 2 ** 32 }))).toBe('SCHEMA');
  });
});

function signedManifest(body: ManifestBody): string {
  return outcome(() =>
    signRecord(key, {
      kind: 'manifest',
      version: 1,
      study: null,
      author: key.id,
      index: 0,
      previous: null,
      heads: [],
      body,
    }),
  );
}

function outcome(sign: () => Uint8Array): string {
  try {
    sign();
    return 'signed';
  } catch (error) {
    if (error instanceof RecordError) return error.code;
    throw error;
  }
}

function rowOf(heading: string, field: string): string | undefined {
  return tableRows(page, heading).find(([name]) => name === `\`${field}\``)?.[2];
}

function layoutOf(name: string): Partial<ManifestBody> {
  return { layout: [{ name, shape: [1] }] };
}

function nested(depth: number): ManifestBody['task'] {
  return depth === 1 ? {} : { a: nested(depth - 1) };
}
