import type { ManifestBody, VerifiedRecord } from '@consilium/records';
import { encodePayload, payloadBytes } from '@consilium/weights';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { replay, StudyFold } from './replay.ts';
import { TestStudy } from './study-fixture.ts';

/** Three trainers of 10, 20 and 30 patients, a validator, an observer; two full rounds and a third of two sites. */
function grown(): TestStudy {
  const study = new TestStudy([10, 20, 30]);
  for (const [site, round, values] of [
    [0, 1, [6, 60, -6, 0, 1]],
    [1, 1, [12, 0, 6, 0, 1]],
    [2, 1, [0, 6, 600, 1, 2]],
    [0, 2, [100, 100, 100, 100, 100]],
    [2, 2, [-7, 11, 13, -17, 19]],
    [1, 2, [1, 2, 3, 4, 5]],
    [0, 3, [9, 9, 9, 9, 9]],
    [2, 3, [-9, -9, -9, -9, -8]],
  ] as const) {
    study.update(site, round, values);
  }
  study.evaluation(3, 2);
  return study;
}

test('is x₀ plus each round’s weighted mean, in integers', async () => {
  const study = new TestStudy([10, 20, 30]);
  study.update(0, 1, [6, 60, -6, 0, 1]);
  study.update(1, 1, [12, 0, 6, 0, 1]);
  study.update(2, 1, [0, 6, 600, 1, 2]);
  const state = await replay(study.study, study.records, study.reader());
  // (10·6 + 20·12 + 30·0) / 60 = 5; (600 + 0 + 180) / 60 = 13; (-60 + 120 + 18000) / 60 = 301; 30/60 = ½ → 0; 90/60 = 1½ → 2.
  expect([...state.weights]).toEqual([1005, -1987, 3301, 0, 7]);
  expect(state.findings).toEqual([]);
  expect(state.rounds[0]?.absent).toEqual([]);
});

describe('whatever the order of arrival', () => {
  const study = grown();
  const records = study.records;
  const hidable = [...study.blobs.keys()].filter(
    (digest) => digest !== Buffer.from(study.manifestBody.initialWeights.digest).toString('hex'),
  );

  test('gives the same state for any interleaving, with repeats and with states asked for on the way', async () => {
    const expected = await replay(study.study, records, study.reader());
    const arrivals = fc.tuple(
      fc.shuffledSubarray(records, { minLength: records.length }),
      fc.array(fc.constantFrom(...records), { maxLength: 6 }),
      fc.array(fc.nat(records.length), { maxLength: 4 }),
    );
    await fc.assert(
      fc.asyncProperty(arrivals, async ([order, repeats, asks]) => {
        const fold = new StudyFold(study.study);
        for (const [i, record] of [...order, ...repeats].entries()) {
          fold.add(record);
          if (asks.includes(i) && fold.founding() !== null) await fold.state(study.reader());
        }
        expect(await fold.state(study.reader())).toEqual(expected);
      }),
      { numRuns: 150, seed: 5 },
    );
  });

  test('gives the state of what is there when records and payloads are missing, and the whole one once they came', async () => {
    const expected = await replay(study.study, records, study.reader());
    const lack = fc.tuple(
      fc.subarray(records.filter((record) => record !== study.manifest)),
      fc.subarray(hidable),
      fc.boolean(),
    );
    await fc.assert(
      fc.asyncProperty(lack, async ([late, hidden, askTwice]) => {
        const fold = new StudyFold(study.study);
        for (const record of records) if (!late.includes(record)) fold.add(record);
        const partial = await fold.state(study.reader(new Set(hidden)));
        if (askTwice) expect(await fold.state(study.reader(new Set(hidden)))).toEqual(partial);
        const again = await replay(
          study.study,
          records.filter((record) => !late.includes(record)),
          study.reader(new Set(hidden)),
        );
        expect(again).toEqual(partial);
        for (const record of late) fold.add(record);
        expect(await fold.state(study.reader())).toEqual(expected);
      }),
      { numRuns: 150, seed: 6 },
    );
  });
});

test('names payloads that are not here, and counts them when they come', async () => {
  const study = new TestStudy([10, 10]);
  study.update(0, 1, [2, 2, 2, 2, 2]);
  const late = study.payload([4, 4, 4, 4, 4]);
  study.updateOf(1, 1, late);
  const fold = new StudyFold(study.study);
  for (const record of study.records) fold.add(record);
  const before = await fold.state(study.reader(new Set([late])));
  expect(before.missing).toEqual([
    { digest: late, bytes: study.blobs.get(late)?.length, site: study.key(1).id, round: 1 },
  ]);
  expect(before.weights[0]).toBe(1002);
  expect(before.rounds[0]?.updates.map(({ counted }) => counted)).toEqual([true, false]);
  const after = await fold.state(study.reader());
  expect(after.missing).toEqual([]);
  expect(after.weights[0]).toBe(1003);
  expect(after.digest).not.toBe(before.digest);
});

test('a late update of an old round changes the sum as if it had been on time', async () => {
  const study = grown();
  const late = study.records.filter(({ record }) => record.author === study.key(1).id);
  const fold = new StudyFold(study.study);
  for (const record of study.records) if (!late.includes(record)) fold.add(record);
  await fold.state(study.reader());
  for (const record of late) fold.add(record);
  expect((await fold.state(study.reader())).digest).toBe(
    (await replay(study.study, study.records, study.reader())).digest,
  );
});

test('is loud about who is absent from a round', async () => {
  const study = grown();
  const { rounds } = await replay(study.study, study.records, study.reader());
  expect(rounds.map(({ absent }) => absent)).toEqual([[], [], [study.key(1).id]]);
});

test('counts no site for more than four times the median cohort', async () => {
  const study = new TestStudy([10, 20, 900]);
  const { members } = await replay(study.study, study.records, study.reader());
  expect(members.map(({ weight }) => weight)).toEqual([10, 20, 80, 0, 0]);
});

describe('excludes, with a finding and for everybody alike,', () => {
  async function findingsOf(
    study: TestStudy,
    more: VerifiedRecord[] = [],
  ): Promise<[string, number | null][]> {
    const state = await replay(study.study, [...study.records, ...more], study.reader());
    const clean = await replay(study.study, [study.manifest], study.reader());
    expect([...state.weights]).toEqual([...clean.weights]);
    return state.findings.map(({ code, index }) => [code, index]);
  }

  test('an update by a validator and by an observer', async () => {
    const study = new TestStudy([10, 10]);
    study.update(2, 1, [1, 1, 1, 1, 1]);
    study.update(3, 1, [1, 1, 1, 1, 1]);
    expect(await findingsOf(study)).toEqual([
      ['NOT_A_TRAINER', 0],
      ['NOT_A_TRAINER', 0],
    ]);
  });

  test('an evaluation by an observer', async () => {
    const study = new TestStudy([10, 10]);
    study.evaluation(3, 1);
    expect(await findingsOf(study)).toEqual([['NOT_AN_EVALUATOR', 0]]);
  });

  test('a round beyond the last', async () => {
    const study = new TestStudy([10, 10]);
    study.update(1, 9, [1, 1, 1, 1, 1]);
    expect(await findingsOf(study)).toEqual([['ROUND_OUT_OF_RANGE', 0]]);
  });

  test('a payload whose size fits no width', async () => {
    const study = new TestStudy([10, 10]);
    study.updateOf(1, 1, study.store(new Uint8Array(77)));
    expect(await findingsOf(study)).toEqual([['PAYLOAD_SIZE', 0]]);
  });

  test('a payload of the right size that is none', async () => {
    const study = new TestStudy([10, 10]);
    const bytes = encodePayload({
      layout: study.layout,
      bits: 16,
      exponents: Int8Array.of(0, 0),
      values: new Int32Array(5),
    });
    study.updateOf(1, 1, study.store(new Uint8Array(bytes.length)));
    expect(await findingsOf(study)).toEqual([['BAD_PAYLOAD', 0]]);
  });

  test('a payload that is not of the size that its record names', async () => {
    const study = new TestStudy([10, 10]);
    const narrow = study.payload([1, 1, 1, 1, 1], 8);
    const bytes = payloadBytes(study.layout, 16);
    study.say(1, {
      kind: 'update',
      body: {
        round: 1,
        base: new Uint8Array(32),
        payload: { digest: Buffer.from(narrow, 'hex'), bytes },
        steps: 1,
        privacy: { profile: 'off' },
      },
    });
    expect(await findingsOf(study)).toEqual([['BAD_PAYLOAD', 0]]);
  });

  test('a payload off the grid', async () => {
    const study = new TestStudy([10, 10]);
    study.updateOf(1, 1, study.payload([1, 1, 1, 1, 1], 16, -21));
    expect(await findingsOf(study)).toEqual([['BAD_PAYLOAD', 0]]);
  });

  test('both records of a fork, and all that the site says after it', async () => {
    const study = new TestStudy([10, 10]);
    study.update(1, 1, [1, 1, 1, 1, 1]);
    const other = study.update(1, 1, [2, 2, 2, 2, 2], 0);
    study.update(1, 2, [1, 1, 1, 1, 1]);
    expect(await findingsOf(study, [other])).toEqual([['FORK', 0]]);
  });

  test('a record that does not name the one before it', async () => {
    const study = new TestStudy([10, 10]);
    const other = new TestStudy([10, 10]);
    other.update(1, 1, [5, 5, 5, 5, 5]);
    const stray = other.update(1, 2, [5, 5, 5, 5, 5]);
    const unknown = study.say(1, { kind: 'notice', body: {}, known: false });
    expect(await findingsOf(study, [stray])).toEqual([
      ['UNKNOWN_KIND', 0],
      ['BROKEN_CHAIN', 1],
    ]);
    expect(unknown.record.known).toBe(false);
  });

  test('a record of another study', async () => {
    const study = new TestStudy([10, 10]);
    const body = {
      round: 1,
      base: new Uint8Array(32),
      payload: { digest: new Uint8Array(32), bytes: 74 },
      steps: 1,
      privacy: { profile: 'off' as const },
    };
    study.say(1, { kind: 'update', body }, new Uint8Array(32).fill(7));
    expect(await findingsOf(study)).toEqual([]);
  });
});

test('counts no more of a log than the study can need, and says where it stopped', async () => {
  const study = new TestStudy([10, 10], { rounds: { count: 1, deadlineSeconds: 60, quorum: 2 } });
  for (let i = 0; i < 72; i++) study.say(1, { kind: 'notice', body: {}, known: false });
  study.update(1, 1, [8, 8, 8, 8, 8]);
  const state = await replay(study.study, study.records, study.reader());
  expect(state.weights[0]).toBe(1000);
  expect(state.findings.at(-1)).toMatchObject({ code: 'LOG_TOO_LONG', index: 72 });
});

test('takes the first of two updates for one round and refuses the second', async () => {
  const study = new TestStudy([10, 10]);
  study.update(1, 1, [8, 8, 8, 8, 8]);
  study.update(1, 1, [16, 16, 16, 16, 16]);
  const state = await replay(study.study, study.records, study.reader());
  expect(state.findings.map(({ code, index }) => [code, index])).toEqual([['ROUND_REPEATED', 1]]);
  expect(state.weights[0]).toBe(1008);
});

test('holds weights at 32 bits of the grid, says so, and forgets nothing of what lies beyond', async () => {
  const study = new TestStudy([10, 10]);
  const huge = 0x7fffffff;
  for (const round of [1, 2]) study.updateOf(1, round, study.payload([huge, 0, 0, 0, 0], 32));
  const above = await replay(study.study, study.records, study.reader());
  expect(above.weights[0]).toBe(huge);
  expect(above.findings.map(({ code }) => code)).toEqual(['WEIGHTS_SATURATED']);
  for (const round of [3, 4]) study.updateOf(1, round, study.payload([-huge, 0, 0, 0, 0], 32));
  const back = await replay(study.study, study.records, study.reader());
  expect(back.weights[0]).toBe(1000);
  expect(back.findings).toEqual([]);
});

test('cannot begin without its manifest or its initial weights', async () => {
  const study = new TestStudy([10, 10]);
  await expect(replay(study.study, [], study.reader())).rejects.toMatchObject({
    code: 'NO_MANIFEST',
  });
  const initial = Buffer.from(study.manifestBody.initialWeights.digest).toString('hex');
  await expect(
    replay(study.study, study.records, study.reader(new Set([initial]))),
  ).rejects.toMatchObject({ code: 'NO_INITIAL_WEIGHTS' });
});

test.each<[string, readonly number[], Partial<ManifestBody>]>([
  [
    'initial weights of another size',
    [10, 10],
    { initialWeights: { digest: new Uint8Array(32), bytes: 1 } },
  ],
  ['cohorts too large for an exact mean', [2 ** 22, 2 ** 22], {}],
])('refuses a manifest with %s', (_, patients, overrides) => {
  const study = new TestStudy(patients, overrides);
  const fold = new StudyFold(study.study);
  expect(() => fold.add(study.manifest)).toThrow(expect.objectContaining({ code: 'BAD_MANIFEST' }));
});
