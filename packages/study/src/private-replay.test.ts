import { createBudget } from '@consilium/privacy';
import type { PrivatePolicy } from '@consilium/records';
import { expect, test } from 'vitest';
import { replay, StudyFold } from './replay.ts';
import { TestStudy } from './study-fixture.ts';

/** Site 0 founds and is the first of three trainers with 40, 20 and 60 declared patients. Only tensor `b`, the fifth weight, is trained. */
const cohorts = [40, 20, 60];
const policy: PrivatePolicy = {
  profile: 'balanced',
  epsilon: 8,
  delta: 1e-3,
  sampleRate: 0.25,
  noiseMultiplier: 1.75,
  clipNorm: 0.5,
  gradientExponent: -16,
  slicesPerPatient: 4,
  trainable: ['b'],
};
const budget = createBudget(policy);

function privateStudy(overrides: Partial<PrivatePolicy> = {}): TestStudy {
  return new TestStudy(cohorts, { privacy: { ...policy, ...overrides } });
}

async function fold(study: TestStudy): Promise<Awaited<ReturnType<typeof replay>>> {
  return replay(study.study, study.records, study.reader());
}

test('an update counts when a reservation pays for it, and everybody sees what it cost', async () => {
  const study = privateStudy();
  study.reserve(1, 1, 5, budget.epsilonAfter(5));
  study.paid(1, 1, [0, 0, 0, 0, 7], 0, 5);
  const state = await fold(study);
  expect(state.findings).toEqual([]);
  expect([...state.weights]).toEqual([1000, -2000, 3000, 0, 12]);
  expect(state.members[1]?.spending).toEqual({
    steps: 5,
    epsilon: budget.epsilonAfter(5),
    unused: 0,
    isExhausted: false,
  });
  expect(state.members[3]?.spending).toBeNull();
});

test('a site that spends more than the cap is excluded from there on, with a finding', async () => {
  const study = privateStudy();
  const most = Array.from({ length: 400 }, (_, i) => i + 1)
    .filter((n) => budget.affords(0, n))
    .at(-1);
  const steps = most ?? 0;
  expect(steps).toBeGreaterThan(5);
  study.reserve(1, 1, steps, budget.epsilonAfter(steps));
  study.paid(1, 1, [0, 0, 0, 0, 7], 0, steps);
  study.reserve(1, 2, 1, budget.epsilonAfter(steps + 1));
  study.paid(1, 2, [0, 0, 0, 0, 7], 2, 1);
  const state = await fold(study);
  expect(state.findings.map(({ code, index }) => [code, index])).toEqual([
    ['OVER_BUDGET', 2],
    ['NOT_RESERVED', 3],
  ]);
  expect(state.weights[4]).toBe(12);
  expect(state.members[1]?.spending).toMatchObject({ steps: steps + 1, isExhausted: true });
});

test('a forged ε is found by whoever recomputes it', async () => {
  const study = privateStudy();
  study.reserve(1, 1, 5, 0.5 * budget.epsilonAfter(5));
  study.paid(1, 1, [0, 0, 0, 0, 7], 0, 5);
  const state = await fold(study);
  expect(state.findings.map(({ code }) => code)).toEqual(['PRIVACY_CLAIM', 'NOT_RESERVED']);
  expect(state.weights[4]).toBe(5);
});

test('an update without a reservation, or with another site’s, does not count', async () => {
  const study = privateStudy();
  study.reserve(1, 1, 5, budget.epsilonAfter(5));
  study.paid(2, 1, [0, 0, 0, 0, 7], 0, 5);
  study.update(2, 1, [0, 0, 0, 0, 7]);
  const state = await fold(study);
  expect(state.findings.map(({ code, index }) => [code, index])).toEqual([
    ['NOT_RESERVED', 0],
    ['PRIVACY_PROFILE', 1],
  ]);
  expect(state.weights[4]).toBe(5);
});

test('an update that moves what is not trained does not count, even by the least step', async () => {
  const study = privateStudy();
  study.reserve(1, 1, 5, budget.epsilonAfter(5));
  study.paid(1, 1, [0, 0, -1, 0, 7], 0, 5);
  const state = await fold(study);
  expect(state.findings.map(({ code }) => code)).toEqual(['FROZEN_CHANGED']);
  expect([...state.weights]).toEqual([1000, -2000, 3000, 0, 5]);
});

test('validators do not reserve, and a study without privacy has no reservations', async () => {
  const study = privateStudy();
  study.reserve(3, 1, 5, budget.epsilonAfter(5));
  expect((await fold(study)).findings.map(({ code }) => code)).toEqual(['NOT_A_TRAINER']);
  const open = new TestStudy([40, 20]);
  const body = { round: 1, sampleRate: 0.25, noiseMultiplier: 1.75, steps: 5, epsilon: 1 };
  open.say(1, { kind: 'reserve', body });
  expect((await fold(open)).findings.map(({ code }) => code)).toEqual(['PRIVACY_PROFILE']);
});

test.each<[string, Partial<PrivatePolicy>]>([
  ['a δ above 1 ÷ (10 × patients) of its largest cohort', { delta: 1 / 599 }],
  ['more ε than its profile means', { profile: 'strict', epsilon: 3.001 }],
  ['less ε than its profile warns of', { profile: 'reconstruction-guard', epsilon: 8 }],
  ['next to no noise', { noiseMultiplier: 0.09 }],
  ['a grid on which clipped gradients vanish', { gradientExponent: -9 }],
  ['a grid on which sums are not exact', { gradientExponent: -28 }],
])('a manifest with %s founds no study', (_, overrides) => {
  const study = privateStudy(overrides);
  const folding = new StudyFold(study.study);
  expect(() => folding.add(study.manifest)).toThrow(
    expect.objectContaining({ code: 'BAD_MANIFEST' }),
  );
});

test('a δ of just 1 ÷ (10 × patients) founds a study', () => {
  const study = privateStudy({ delta: 1 / 600 });
  const folding = new StudyFold(study.study);
  folding.add(study.manifest);
  expect(folding.founding()?.budget?.cap).toBe(8);
});
