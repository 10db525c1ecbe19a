import { createBudget } from '@consilium/privacy';
import type { PrivatePolicy } from '@consilium/records';
import type { MemberState } from '@consilium/study';
import { expect, test } from 'vitest';
import { privateTraining, reservationFor } from './reservation.ts';

const policy: PrivatePolicy = {
  profile: 'strict',
  epsilon: 3,
  delta: 1e-5,
  sampleRate: 0.08,
  noiseMultiplier: 1.7,
  clipNorm: 0.25,
  gradientExponent: -22,
  slicesPerPatient: 4,
  trainable: ['head/bias'],
};
const budget = createBudget(policy);

function spentBy(site: string, steps: number): { members: MemberState[] } {
  const spending = { steps, epsilon: budget.epsilonAfter(steps), unused: 0, isExhausted: false };
  return { members: [{ site, spending } as MemberState] };
}

test('sets aside what the next steps add to what was spent, failures included', () => {
  const body = reservationFor(spentBy('a', 35), policy, budget, 'a', 8, 5);
  expect(body).toEqual({
    round: 8,
    sampleRate: 0.08,
    noiseMultiplier: 1.7,
    steps: 5,
    epsilon: budget.epsilonAfter(40),
  });
  expect(body.epsilon).toBeGreaterThan(budget.epsilonAfter(35));
});

test('does not count what others spent', () => {
  expect(reservationFor(spentBy('b', 35), policy, budget, 'a', 1, 5).epsilon).toBe(
    budget.epsilonAfter(5),
  );
});

test('refuses the first step past the cap, and allows the last one within it', () => {
  let most = 0;
  while (budget.affords(most, 1)) most++;
  expect(most).toBeGreaterThan(50);
  const last = reservationFor(spentBy('a', most - 5), policy, budget, 'a', 20, 5);
  expect(last.epsilon).toBeLessThanOrEqual(policy.epsilon);
  expect(() => reservationFor(spentBy('a', most - 4), policy, budget, 'a', 20, 5)).toThrow(
    expect.objectContaining({ code: 'BUDGET_EXHAUSTED' }),
  );
});

test('divides by the expected batch of the declared cohort, whatever the site really has', () => {
  const { mechanism, declaredPatients } = privateTraining(policy, 250);
  expect(mechanism).toEqual({
    sampleRate: 0.08,
    noiseMultiplier: 1.7,
    clipNorm: 0.25,
    gridExponent: -22,
    expectedBatch: 20,
  });
  expect(declaredPatients).toBe(250);
});
