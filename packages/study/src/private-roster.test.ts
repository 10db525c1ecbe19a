import { createBudget } from '@consilium/privacy';
import type { PrivatePolicy } from '@consilium/records';
import { beforeEach, expect, test } from 'vitest';
import { replay, type StudyState } from './replay.ts';
import { ChangingStudy } from './roster-fixture.ts';

const policy: PrivatePolicy = {
  profile: 'balanced',
  epsilon: 8,
  // 1 ÷ (10 × 80): cohorts up to 80 keep the promise.
  delta: 0.00125,
  sampleRate: 0.25,
  noiseMultiplier: 1.75,
  clipNorm: 0.5,
  gradientExponent: -16,
  slicesPerPatient: 4,
  trainable: ['b'],
};
const budget = createBudget(policy);
const values = [0, 0, 0, 0, 7];

let study: ChangingStudy;
beforeEach(() => {
  study = new ChangingStudy([40, 20, 60], { privacy: policy });
});

function fold(): Promise<StudyState> {
  return replay(study.study, study.records, study.reader());
}

/** A reservation of 5 steps and the update that it pays for, `steps` in all so far. */
function train(key: number, round: number, steps: number): void {
  const reserve = study.size(key);
  study.reserve(key, round, 5, budget.epsilonAfter(steps));
  study.paid(key, round, values, reserve, 5);
}

test('a new key goes on with the old one’s budget', async () => {
  train(1, 1, 5);
  study.rotate(1, 51);
  train(51, 2, 10);
  const fresh = study.size(51);
  study.reserve(51, 3, 5, budget.epsilonAfter(5));
  study.paid(51, 3, values, fresh, 5);
  const { findings, members } = await fold();
  expect(findings.map(({ code, index }) => [code, index])).toEqual([
    ['PRIVACY_CLAIM', 2],
    ['NOT_RESERVED', 3],
  ]);
  expect(members[1]).toMatchObject({ lastRound: 2, spending: { steps: 15, unused: 1 } });
});

test('a new key cannot use what the old one reserved, and it stays spent', async () => {
  study.reserve(1, 1, 5, budget.epsilonAfter(5));
  study.rotate(1, 51);
  study.paid(51, 1, values, 0, 5);
  const { findings, members } = await fold();
  expect(findings.map(({ code }) => code)).toEqual(['NOT_RESERVED']);
  expect(members[1]).toMatchObject({ lastRound: 0, spending: { steps: 5, unused: 1 } });
});

test('a site that breaks its old log does not get back what the approvers saw it spend', async () => {
  train(1, 1, 5);
  train(1, 2, 10);
  study.carry(0, study.propose(study.hand(1, 4, 51, 10)), [0, 2, 3, 51]);
  const fork = study.update(1, 1, values, 0);
  train(51, 3, 15);
  const { members, findings } = await replay(study.study, [...study.records, fork], study.reader());
  expect(findings.map(({ code }) => code)).toEqual(['FORK']);
  expect(members[1]).toMatchObject({ lastRound: 3, spending: { steps: 15 } });
});

test('a trainer that is demoted keeps its spending, and what it reserves then is spent too', async () => {
  train(1, 1, 5);
  study.carry(0, study.propose(study.demote(1, 2)), [0, 2, 3]);
  train(1, 2, 10);
  const { findings, members } = await fold();
  expect(findings.map(({ code }) => code)).toEqual(['NOT_A_TRAINER', 'NOT_A_TRAINER']);
  expect(members[1]).toMatchObject({ role: 'validator', spending: { steps: 10 } });
});

test.each<[string, (s: ChangingStudy, patients: number) => void]>([
  ['added', (s, patients) => s.carry(0, s.propose(s.add(50, patients)), [0, 1, 2])],
  ['newly declared', (s, patients) => s.carry(0, s.propose(s.cap(1, patients, 0)), [0, 1, 2])],
  [
    'promoted',
    (s, patients) => {
      const from = { key: s.key(3).id, at: 0 };
      const { id: site } = s.key(3);
      s.carry(0, s.propose({ kind: 'role', site, role: 'trainer', patients, from }), [0, 1, 2]);
    },
  ],
])('no cohort is %s for which δ is more than 1 ÷ (10 × patients)', async (_, act) => {
  act(study, 80);
  expect((await fold()).changes).toHaveLength(1);
  study = new ChangingStudy([40, 20, 60], { privacy: policy });
  act(study, 81);
  const { changes, findings } = await fold();
  expect(changes).toEqual([]);
  expect(findings.map(({ code }) => code)).toEqual(['ROSTER_RULE']);
});

test('a smaller cohort changes what updates weigh and nothing that privacy costs', async () => {
  train(1, 1, 5);
  study.carry(0, study.propose(study.cap(1, 5, 2)), [0, 2, 3]);
  train(1, 2, 10);
  const { findings, members, rounds } = await fold();
  expect(findings).toEqual([]);
  expect(members[1]).toMatchObject({
    patients: 5,
    spending: { steps: 10, epsilon: budget.epsilonAfter(10) },
  });
  expect(rounds.map(({ updates }) => updates[0]?.weight)).toEqual([20, 5]);
});
