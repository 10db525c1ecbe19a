import type { VerifiedRecord } from '@consilium/records';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { foldAt, type Heads, headsAt } from './history.ts';
import { found } from './manifest.ts';
import { replay, StudyFold } from './replay.ts';
import { TestStudy } from './study-fixture.ts';

let study: TestStudy;
beforeEach(() => {
  study = new TestStudy([30, 10, 20]);
});

function foldOf(records: readonly VerifiedRecord[]): StudyFold {
  const fold = new StudyFold(study.study);
  for (const record of records) fold.add(record);
  return fold;
}

const values = (n: number): number[] => [n, 2 * n, -n, 0, 7];

/** Three rounds in which site 2 skips the second and gives an evaluation between its own two. */
function threeRounds(): void {
  for (const [site, round] of [
    [0, 1],
    [1, 1],
    [2, 1],
    [0, 2],
    [1, 2],
    [0, 3],
    [1, 3],
  ] as const)
    study.update(site, round, values(10 * site + round));
  study.evaluation(2, 1);
  study.update(2, 3, values(23));
  study.evaluation(3, 3);
}

describe('the state of a round', () => {
  test.each([0, 1, 2, 3, 4])('%i is what its rounds’ records alone give', async (round) => {
    threeRounds();
    const fold = foldOf(study.records);
    const state = await foldAt(fold, study.study, headsAt(fold, round)).state(study.reader());
    const upTo = study.records.filter(
      ({ record }) => !(record.known && record.kind === 'update' && record.body.round > round),
    );
    expect(state.digest).toBe((await replay(study.study, upTo, study.reader())).digest);
    expect(state.heads).toEqual(headsAt(fold, round));
    expect(state.rounds).toHaveLength(Math.min(round, 3));
  });

  test('has what was said before anybody went on, and nothing of what was said after', () => {
    threeRounds();
    const sizes = headsAt(foldOf(study.records), 2).map(({ author, size }) => [
      study.keys.findIndex(({ id }) => id === author),
      size,
    ]);
    // Manifest and two updates; two updates; one update and the evaluation; the validator's evaluation.
    expect(Object.fromEntries(sizes)).toEqual({ 0: 3, 1: 2, 2: 2, 3: 1 });
  });

  test('changes when a late update of it comes, and with it every later one', async () => {
    threeRounds();
    const early = foldOf(study.records.filter(({ record }) => record.author !== study.key(1).id));
    const late = foldOf(study.records);
    const digest = async (fold: StudyFold, round: number): Promise<string> =>
      (await foldAt(fold, study.study, headsAt(fold, round)).state(study.reader())).digest;
    expect(await digest(late, 0)).toBe(await digest(early, 0));
    for (const round of [1, 2, 3])
      expect(await digest(late, round)).not.toBe(await digest(early, round));
  });

  test('leaves a reservation for a later round out, and keeps one that was followed by an update of this one', () => {
    const trainable = ['a'];
    study = new TestStudy([30, 20], {
      privacy: {
        profile: 'balanced',
        epsilon: 8,
        delta: 1e-4,
        sampleRate: 0.25,
        noiseMultiplier: 4,
        clipNorm: 1,
        gradientExponent: -20,
        slicesPerPatient: 1,
        trainable,
      },
    });
    const { budget } = found(study.manifestBody);
    const spent = (steps: number): number => budget?.epsilonAfter(steps) ?? 0;
    study.reserve(1, 5, 3, spent(3)); // for a round ahead, and never used
    study.reserve(1, 2, 4, spent(7));
    study.paid(1, 2, [1, 2, 3, 4, 0], 1, 4);
    study.reserve(1, 3, 2, spent(9));
    const sizeAt = (round: number): number | undefined =>
      headsAt(foldOf(study.records), round).find(({ author }) => author === study.key(1).id)?.size;
    expect([1, 2, 3].map(sizeAt)).toEqual([undefined, 3, 4]);
  });

  test.each([-1, 0.5, Number.NaN])('there is none of round %s', (round) => {
    expect(() => headsAt(foldOf(study.records), round)).toThrow(RangeError);
  });
});

describe('the fold at heads', () => {
  test('is the fold of whoever held just these logs, however far each was', async () => {
    threeRounds();
    const fold = foldOf(study.records);
    const whole = await fold.state(study.reader());
    const cuts = fc.tuple(...whole.heads.map(({ size }) => fc.nat(size)));
    await fc.assert(
      fc.asyncProperty(cuts, async (sizes) => {
        const held = whole.heads.flatMap(({ author }, i) =>
          (fold.prefixes().get(author) ?? []).slice(0, sizes[i]),
        );
        if (!held.includes(study.manifest)) return;
        const state = await replay(study.study, held, study.reader());
        const again = await foldAt(fold, study.study, state.heads).state(study.reader());
        expect(again).toEqual(state);
      }),
      { seed: 4, numRuns: 40 },
    );
  });

  const changed = (heads: Heads, change: Partial<Heads[number]>): Heads =>
    heads.map((head, i) => (i === 0 ? { ...head, ...change } : head));

  test.each<[string, (heads: Heads) => Heads]>([
    ['a log that is not known that far', (heads) => changed(heads, { size: 99 })],
    ['another root', (heads) => changed(heads, { root: 'ab'.repeat(32) })],
    ['an author that is no member', (heads) => changed(heads, { author: 'nobody' })],
  ])('refuses %s', async (_, wrong) => {
    threeRounds();
    const fold = foldOf(study.records);
    const { heads } = await fold.state(study.reader());
    expect(() => foldAt(fold, study.study, wrong(heads))).toThrow(
      expect.objectContaining({ code: 'HEADS_UNKNOWN' }),
    );
  });

  test('refuses heads that reach over a fork, and gives those before it', async () => {
    threeRounds();
    const { heads } = await replay(study.study, study.records, study.reader());
    const fork = study.update(1, 2, values(77), 1);
    const fold = foldOf([...study.records, fork]);
    expect(() => foldAt(fold, study.study, heads)).toThrow(/is not known here at 3/);
    const before = headsAt(fold, 1);
    const state = await foldAt(fold, study.study, before).state(study.reader());
    expect(state.findings).toEqual([]);
    expect(state.rounds).toMatchObject([{ absent: [] }]);
  });
});
