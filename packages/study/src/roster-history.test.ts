import {
  approveRosterChange,
  type ProposedChange,
  rosterChangeId,
  type VerifiedRecord,
} from '@consilium/records';
import { beforeEach, describe, expect, test } from 'vitest';
import { replay, type StudyState } from './replay.ts';
import { ChangingStudy, inOrder } from './roster-fixture.ts';

/** Sites 0, 1 and 2 train with 30, 10 and 20 patients, 3 validates, 4 observes: four have a say, and three of them are needed. */
let study: ChangingStudy;
beforeEach(() => {
  study = new ChangingStudy([30, 10, 20]);
});

const values = [8, 16, 24, 0, 40];

function fold(records: readonly VerifiedRecord[] = study.records): Promise<StudyState> {
  return replay(study.study, records, study.reader());
}

function codes({ findings }: StudyState): [string, number | null][] {
  return findings.map(({ code, index }) => [code, index]);
}

function changeIds({ changes }: StudyState): string[] {
  return changes.map(({ id }) => id);
}

function idOf(proposed: ProposedChange): string {
  return Buffer.from(rosterChangeId(study.study, proposed)).toString('hex');
}

describe('changes that do not apply', () => {
  test.each<[string, (study: ChangingStudy) => void, string]>([
    [
      'with two approvals of four',
      (s) => s.carry(0, s.propose(s.add(60)), [0, 1]),
      'ROSTER_APPROVALS',
    ],
    [
      'with an observer’s approval',
      (s) => s.carry(0, s.propose(s.add(60)), [0, 1, 4]),
      'ROSTER_APPROVALS',
    ],
    [
      'with strangers’ approvals',
      (s) => s.carry(0, s.propose(s.add(60)), [0, 1, 61, 62]),
      'ROSTER_APPROVALS',
    ],
    [
      'with the new site’s own approval',
      (s) => s.carry(0, s.propose(s.add(60)), [0, 1, 60]),
      'ROSTER_APPROVALS',
    ],
    [
      'with a forged approval',
      (s) => {
        const proposed = s.propose(s.add(60));
        const [one, ...rest] = s.approvals(proposed, [0, 1, 2]);
        if (one === undefined) throw new RangeError('no approval');
        const signature = one.signature.map((byte, i) => (i === 40 ? byte ^ 1 : byte));
        s.carryWith(0, proposed, [{ ...one, signature }, ...rest]);
      },
      'ROSTER_APPROVALS',
    ],
    [
      'with an approval of another change',
      (s) => {
        const proposed = s.propose(s.add(60));
        const other = s.approvals(s.propose(s.add(61)), [2]);
        s.carryWith(0, proposed, inOrder([...s.approvals(proposed, [0, 1]), ...other]));
      },
      'ROSTER_APPROVALS',
    ],
    [
      'with approvals of the same change in another study',
      (s) => {
        const other = new ChangingStudy([30, 10, 21]);
        const proposed = s.propose(s.add(60));
        s.carryWith(0, proposed, other.approvals(proposed, [0, 1, 2]));
      },
      'ROSTER_APPROVALS',
    ],
    [
      'with one member’s approval by two keys',
      (s) => {
        const { envelope } = s.rotate(1, 51);
        const proposed = s.propose(s.add(60));
        const twice = approveRosterChange(s.key(51), s.study, proposed, [envelope]);
        s.carryWith(0, proposed, inOrder([...s.approvals(proposed, [0, 1]), twice]));
      },
      'ROSTER_APPROVALS',
    ],
    ['that add a member', (s) => s.carry(0, s.propose(s.add(1)), [0, 1, 2]), 'ROSTER_RULE'],
    [
      'that remove a stranger',
      (s) => s.carry(0, s.propose(s.remove(60, 0)), [0, 1, 2]),
      'ROSTER_RULE',
    ],
    [
      'that end a key of somebody else',
      (s) => s.carry(0, s.propose(s.remove(1, 0, 2)), [0, 1, 2]),
      'ROSTER_RULE',
    ],
    [
      'that hand on to a member',
      (s) => s.carry(0, s.propose(s.hand(1, 0, 2)), [0, 2, 3]),
      'ROSTER_RULE',
    ],
    [
      'that leave fewer trainers than a quorum',
      (s) => {
        const first = s.propose(s.remove(1, 0));
        s.carry(2, first, [0, 2, 3]);
        s.carry(0, s.propose(s.demote(2, 1), first), [0, 2, 3]);
      },
      'ROSTER_RULE',
    ],
    [
      'that declare a validator’s cohort',
      (s) => s.carry(0, s.propose(s.cap(3, 5, 0)), [0, 1, 2]),
      'ROSTER_RULE',
    ],
    [
      'with a number out of turn',
      (s) => s.carry(0, { ...s.propose(s.add(60)), number: 2 }, [0, 1, 2]),
      'ROSTER_RULE',
    ],
  ])('%s', async (_, act, code) => {
    act(study);
    const state = await fold();
    expect(state.findings.map((finding) => finding.code)).toEqual([code]);
  });

  test('cohorts are bounded where the mean would not be exact', async () => {
    study = new ChangingStudy([900_000, 800_000, 700_000]);
    study.carry(0, study.propose(study.add(60, 1_800_000)), [0, 1, 2]);
    expect(codes(await fold())).toEqual([['ROSTER_RULE', 1]]);
  });

  test('a change whose predecessor is not here waits, without a finding', async () => {
    const first = study.propose(study.add(60));
    const second = study.propose(study.add(61), first);
    const waiting = study.carry(1, second, [0, 1, 2]);
    expect(await fold()).toMatchObject({ changes: [], findings: [] });
    study.carry(0, first, [0, 1, 2]);
    expect(changeIds(await fold())).toEqual([idOf(first), idOf(second)]);
    expect(waiting.record.index).toBe(0);
  });

  test('of two that were approved for one place the lowest applies, and both are named', async () => {
    const [one, other] = [study.propose(study.add(60)), study.propose(study.add(61))];
    study.carry(0, one, [0, 1, 2]);
    study.carry(1, other, [1, 2, 3]);
    const [low, high] = [idOf(one), idOf(other)].sort() as [string, string];
    const state = await fold();
    expect(changeIds(state)).toEqual([low]);
    expect(state.findings).toMatchObject([{ code: 'ROSTER_CONFLICT' }]);
    expect(state.findings[0]?.message).toContain(low.slice(0, 16));
    expect(state.findings[0]?.message).toContain(high.slice(0, 16));
  });

  test('a rival of what members have built on comes too late, whatever its id', async () => {
    const pair = [study.propose(study.add(60)), study.propose(study.add(61))];
    const [low, high] = pair.sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1)) as [
      ProposedChange,
      ProposedChange,
    ];
    const next = study.propose(study.remove(1, 9), high);
    study.carry(0, high, [0, 2, 3]);
    study.carry(2, next, [0, 2, 3]);
    study.carry(1, low, [0, 1, 2]);
    expect(changeIds(await fold())).toEqual([idOf(high), idOf(next)]);
  });

  test('a change stands as long as one log carries it, and falls with the last', async () => {
    const proposed = study.propose(study.add(60));
    study.carry(1, proposed, [0, 1, 2]);
    const fork = study.update(1, 1, values, 0);
    expect((await fold([...study.records, fork])).changes).toEqual([]);
    study.carry(2, proposed, [0, 1, 2]);
    expect(changeIds(await fold([...study.records, fork]))).toEqual([idOf(proposed)]);
  });

  test('a removal does not apply while it would cut away what it stands on', async () => {
    const first = study.propose(study.add(60));
    study.update(1, 1, values);
    study.carry(1, first, [0, 1, 2]);
    study.carry(0, study.propose(study.remove(1, 1), first), [0, 2, 3]);
    const before = await fold();
    expect(changeIds(before)).toEqual([idOf(first)]);
    expect(codes(before)).toEqual([['ROSTER_RULE', 1]]);
    study.carry(2, first, [0, 1, 2]);
    expect((await fold()).members[1]?.isRemoved).toBe(true);
  });
});
