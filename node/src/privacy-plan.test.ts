import { createBudget, epsilon } from '@consilium/privacy';
import { expect, test } from 'vitest';
import { forecast } from './privacy-forecast.ts';
import { policyFor, privacyPlan } from './privacy-plan.ts';

const demand = { cohorts: [320, 200, 240], rounds: 20, stepsPerRound: 5, trainable: ['head/bias'] };
const plan = (changes: object) => privacyPlan.parse({ profile: 'balanced', ...changes });

test('finds the least noise with which rounds and spare ones stay within ε', () => {
  const policy = policyFor(plan({}), demand);
  if (policy === null) throw new TypeError('a balanced plan has a policy');
  expect(policy).toMatchObject({ profile: 'balanced', epsilon: 8, delta: 1e-5, sampleRate: 0.08 });
  const budget = createBudget(policy);
  expect(budget.affords(0, 22 * 5)).toBe(true);
  const less = createBudget({ ...policy, noiseMultiplier: policy.noiseMultiplier - 0.003 });
  expect(less.affords(0, 22 * 5)).toBe(false);
});

test('takes δ from the largest cohort and the sample rate from the smallest', () => {
  const policy = policyFor(plan({}), { ...demand, cohorts: [50_000, 64] });
  expect(policy).toMatchObject({ delta: 1 / 500_000, sampleRate: 0.25 });
});

test('a smaller clip norm takes a finer grid: some million steps to the norm', () => {
  for (const clipNorm of [0.03, 0.1, 1, 7]) {
    const policy = policyFor(plan({ clipNorm }), demand);
    const steps = clipNorm / 2 ** (policy?.gradientExponent ?? 0);
    expect(steps).toBeGreaterThanOrEqual(2 ** 20);
    expect(steps).toBeLessThan(2 ** 21);
  }
});

test('off is no policy', () => {
  expect(policyFor(plan({ profile: 'off' }), demand)).toBeNull();
});

test.each<[string, object, string]>([
  [
    'an expected batch above the smallest cohort',
    { expectedBatch: 201 },
    'above the smallest cohort',
  ],
  ['more ε than the profile means', { epsilon: 8.1 }, 'profile balanced'],
  ['a δ above 1 ÷ (10 × patients)', { delta: 1 / 3199 }, 'δ must be'],
  ['a strict profile with ε 4', { profile: 'strict', epsilon: 4 }, 'profile strict'],
])('refuses %s', (_, changes, words) => {
  expect(() => policyFor(plan(changes), demand)).toThrow(
    expect.objectContaining({ code: 'BAD_POLICY', message: expect.stringContaining(words) }),
  );
});

test('forecasts what each round will have cost, up to the plan’s own cap', () => {
  const policy = policyFor(plan({ profile: 'strict' }), demand);
  if (policy === null) throw new TypeError('a strict plan has a policy');
  const told = forecast(policy, {
    rounds: 20,
    stepsPerRound: 5,
    sites: 3,
    patients: 200,
    dimension: 1634,
  });
  expect(told.curve.map(({ round }) => round)).toEqual([1, 3, 6, 8, 11, 13, 15, 18, 20]);
  expect(told.curve.every(({ rdp, pld }) => pld <= rdp)).toBe(true);
  expect(told.curve.at(-1)?.rdp).toBeLessThanOrEqual(3);
  const history = [{ ...policy, steps: 15 }];
  expect(told.curve[1]?.rdp).toBe(epsilon(history, policy.delta, 'rdp'));
  expect(told.noiseToSignalStep).toBeCloseTo((policy.noiseMultiplier * Math.sqrt(1634)) / 16, 9);
  expect(told.noiseToSignalStudy).toBeCloseTo(told.noiseToSignalStep / Math.sqrt(300), 9);
});
