import {
  approveRosterChange,
  type ProposedChange,
  rosterChangeId,
  type VerifiedRecord,
} from '@consilium/records';
import { beforeEach, describe, expect, test } from 'vitest';
import { replay, StudyFold, type StudyState } from './replay.ts';
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

describe('an added site', () => {
  test('trains like every other, and is not missed before its first update', async () => {
    study.update(0, 1, values);
    study.carry(1, study.propose(study.add(50, 15)), [0, 1, 3]);
    study.update(50, 2, values);
    const state = await fold();
    expect(codes(state)).toEqual([]);
    expect(state.members[5]).toMatchObject({
      site: study.key(50).id,
      role: 'trainer',
      weight: 15,
      lastRound: 2,
      joinedWith: 1,
      logSize: 1,
    });
    expect(state.weights[1]).toBe(-2000 + 16 + 16);
    expect(state.rounds.map(({ absent }) => absent.includes(study.key(50).id))).toEqual([
      false,
      false,
    ]);
  });

  test('has a say about the next change', async () => {
    const first = study.propose(study.add(50, 0));
    study.carry(0, first, [0, 1, 2]);
    study.carry(1, study.propose(study.add(51, 15), first), [0, 1, 50]);
    expect((await fold()).changes).toHaveLength(2);
  });

  test('weighs no more than a founding one may: the cap is the manifest’s', async () => {
    study.carry(0, study.propose(study.add(50, 900)), [0, 1, 2]);
    // Four times the lower median of 30, 10 and 20.
    expect((await fold()).members[5]?.weight).toBe(80);
  });
});

describe('a removed site', () => {
  test('keeps what it had said and says nothing more', async () => {
    study.update(1, 1, values);
    study.update(1, 2, values);
    study.update(1, 3, values);
    study.carry(0, study.propose(study.remove(1, 2)), [0, 2, 3]);
    const state = await fold();
    expect(codes(state)).toEqual([]);
    expect(state.members[1]).toMatchObject({
      isRemoved: true,
      isHeard: false,
      lastRound: 2,
      logSize: 2,
    });
    expect(state.rounds).toHaveLength(2);
    expect(state.heads.find(({ author }) => author === study.key(1).id)?.size).toBe(2);
  });

  test('is no fork when it signs on, and one when it signs again what counts', async () => {
    study.update(1, 1, values);
    study.update(1, 2, values);
    study.update(1, 3, values);
    study.carry(0, study.propose(study.remove(1, 2)), [0, 2, 3]);
    const beyond = study.update(1, 3, [1, 1, 1, 1, 1], 2);
    expect(codes(await fold([...study.records, beyond]))).toEqual([]);
    const below = study.update(1, 2, [1, 1, 1, 1, 1], 1);
    expect(codes(await fold([...study.records, below]))).toEqual([['FORK', 1]]);
  });

  test('has no say any more, and its key never comes back', async () => {
    const first = study.propose(study.remove(1, 0));
    study.carry(0, first, [0, 2, 3]);
    // Of the three that are left, two are needed: site 1 would make it two.
    const second = study.propose(study.add(50), first);
    study.carry(0, second, [0, 1]);
    const back = study.propose(study.add(1), first);
    study.carry(2, back, [0, 2, 3]);
    const state = await fold();
    expect(changeIds(state)).toEqual([idOf(first)]);
    expect(codes(state)).toEqual([
      ['ROSTER_APPROVALS', 2],
      ['ROSTER_RULE', 0],
    ]);
  });

  test('is removed with the keys that it handed on to', async () => {
    study.update(1, 1, values);
    study.rotate(1, 51);
    study.update(51, 2, values);
    study.update(51, 3, values);
    const until = [
      { key: study.key(1).id, at: 2 },
      { key: study.key(51).id, at: 1 },
    ];
    study.carry(0, study.propose({ kind: 'remove', site: study.key(1).id, until }), [0, 2, 3]);
    study.rotate(51, 52);
    study.update(52, 4, values);
    const state = await fold();
    expect(state.members[1]).toMatchObject({ isRemoved: true, lastRound: 2, logSize: 3 });
  });
});

describe('a site whose own key hands on', () => {
  test('goes on in the new key’s log: rounds, weight and log are one', async () => {
    study.update(1, 1, values);
    study.rotate(1, 51);
    study.update(51, 1, [1, 1, 1, 1, 1]);
    study.update(51, 2, values);
    const state = await fold();
    expect(state.members[1]).toMatchObject({
      site: study.key(1).id,
      keys: [study.key(1).id, study.key(51).id],
      weight: 10,
      lastRound: 2,
      logSize: 4,
    });
    expect(state.findings).toMatchObject([
      { code: 'ROUND_REPEATED', site: study.key(51).id, index: 0 },
    ]);
    expect(state.rounds[1]?.updates[0]).toMatchObject({
      site: study.key(1).id,
      author: study.key(51).id,
      index: 1,
    });
  });

  test('a stolen old key says nothing more, and is no fork of the new one', async () => {
    study.update(1, 1, values);
    study.rotate(1, 51);
    study.update(51, 2, values);
    const before = await fold();
    study.update(1, 2, [1, 1, 1, 1, 1]);
    study.rotate(1, 52);
    study.update(52, 3, [1, 1, 1, 1, 1]);
    expect(await fold()).toEqual(before);
  });

  test('a thief who signs another rotation at the same place silences the site and does not become it', async () => {
    study.update(1, 1, values);
    study.rotate(1, 51);
    study.update(51, 2, values);
    const stolen = study.rotate(1, 52, 1);
    study.update(52, 2, values);
    const state = await fold([...study.records, stolen]);
    expect(codes(state)).toEqual([['FORK', 1]]);
    expect(state.members[1]).toMatchObject({ lastRound: 1, isHeard: false });
  });

  test('does not take over a key of another member, nor one that has not consented', async () => {
    study.rotate(1, 2);
    const place = { study: study.study, from: study.key(1).id, index: 1, to: study.key(51).id };
    study.say(1, { kind: 'rotation', body: { to: place.to, consent: new Uint8Array(64) } });
    study.update(1, 1, values);
    study.update(51, 2, values);
    const state = await fold();
    expect(codes(state)).toEqual([
      ['ROSTER_RULE', 0],
      ['ROSTER_RULE', 1],
    ]);
    expect(state.members[1]).toMatchObject({ keys: [study.key(1).id], lastRound: 1 });
  });

  test('a rotation of another study, or of another place, hands on nothing', async () => {
    const other = new ChangingStudy([30, 10, 25]);
    const elsewhere = other.rotate(1, 51);
    const moved = study.rotate(1, 51).record;
    if (!moved.known || moved.kind !== 'rotation') throw new TypeError('no rotation');
    study.update(51, 1, values);
    expect((await fold()).members[1]?.lastRound).toBe(1);
    const [first, ...rest] = study.records.filter(({ record }) => record.author !== moved.author);
    expect((await fold([first as VerifiedRecord, ...rest, elsewhere])).members[1]?.lastRound).toBe(
      0,
    );
    study.update(2, 1, values);
    study.say(2, { kind: 'rotation', body: moved.body });
    expect(codes(await fold())).toEqual([['ROSTER_RULE', 1]]);
  });

  test('approves with its new key when it shows how that came to it', async () => {
    const rotation = study.rotate(1, 51);
    const proposed = study.propose(study.add(60));
    const approvals = study.approvals(proposed, [0, 2]);
    const shown = approveRosterChange(study.key(51), study.study, proposed, [rotation.envelope]);
    const bare = approveRosterChange(study.key(51), study.study, proposed);
    study.carryWith(0, proposed, inOrder([...approvals, bare]));
    expect(codes(await fold())).toEqual([['ROSTER_APPROVALS', 1]]);
    study.carryWith(2, proposed, inOrder([...approvals, shown]));
    expect((await fold()).changes).toHaveLength(1);
  });

  test('cannot take an approval back by breaking the log that its key came from', async () => {
    const rotation = study.rotate(1, 51);
    const proposed = study.propose(study.add(60));
    const shown = approveRosterChange(study.key(51), study.study, proposed, [rotation.envelope]);
    study.carryWith(0, proposed, inOrder([...study.approvals(proposed, [0, 2]), shown]));
    const other = study.update(1, 1, values, 0);
    const state = await fold([...study.records, other]);
    expect(state.changes).toHaveLength(1);
    expect(state.members[1]).toMatchObject({ isHeard: false });
  });
});

describe('a site whose key is lost', () => {
  test('goes on with a new one when the members and that key have signed', async () => {
    study.update(1, 1, values);
    study.update(1, 2, values);
    study.carry(0, study.propose(study.hand(1, 1, 51)), [0, 2, 3, 51]);
    study.update(51, 2, [1, 1, 1, 1, 1]);
    const state = await fold();
    expect(codes(state)).toEqual([]);
    expect(state.members[1]).toMatchObject({ isHeard: true, lastRound: 2, logSize: 2 });
    expect(state.rounds[1]?.updates[0]?.author).toBe(study.key(51).id);
  });

  test('does not without the new key’s own signature', async () => {
    study.carry(0, study.propose(study.hand(1, 0, 51)), [0, 2, 3]);
    study.update(51, 1, values);
    const state = await fold();
    expect(codes(state)).toEqual([['ROSTER_APPROVALS', 1]]);
    expect(state.members[1]?.lastRound).toBe(0);
  });

  test('waits for the old key’s records, and not for those that a fork has cut away', async () => {
    const [first, second] = [study.update(1, 1, values), study.update(1, 2, values)];
    study.carry(0, study.propose(study.hand(1, 2, 51)), [0, 2, 3, 51]);
    study.update(51, 3, values);
    const lacking = await fold(study.records.filter((record) => record !== second));
    expect(lacking.members[1]).toMatchObject({ lastRound: 1, logSize: 1 });
    expect((await fold()).members[1]).toMatchObject({ lastRound: 3, logSize: 3 });
    const other = study.update(1, 1, [1, 1, 1, 1, 1], 0);
    const forked = await fold([...study.records, other]);
    expect(forked.members[1]).toMatchObject({ lastRound: 3, logSize: 1, isHeard: true });
    expect(codes(forked)).toEqual([['FORK', 0]]);
    expect(first.record.index).toBe(0);
  });

  test('overrides what a thief made of the old key', async () => {
    study.update(1, 1, values);
    study.rotate(1, 52);
    study.update(52, 2, [1, 1, 1, 1, 1]);
    study.carry(0, study.propose(study.hand(1, 1, 51)), [0, 2, 3, 51]);
    study.update(51, 2, values);
    const state = await fold();
    expect(state.members[1]?.keys).toEqual([study.key(1).id, study.key(51).id]);
    expect(state.rounds[1]?.updates.map(({ author }) => author)).toEqual([study.key(51).id]);
  });
});

describe('roles and cohorts', () => {
  test('a demoted trainer’s later updates do not count, its earlier ones do', async () => {
    study.update(1, 1, values);
    study.update(1, 2, values);
    study.carry(0, study.propose(study.demote(1, 1)), [0, 2, 3]);
    const state = await fold();
    expect(codes(state)).toEqual([['NOT_A_TRAINER', 1]]);
    expect(state.members[1]).toMatchObject({ role: 'validator', weight: 0, lastRound: 1 });
    expect(state.rounds[0]?.updates[0]?.weight).toBe(10);
  });

  test('a validator that becomes a trainer trains from there on', async () => {
    study.evaluation(3, 1);
    const from = { key: study.key(3).id, at: 1 };
    const change = {
      kind: 'role',
      site: study.key(3).id,
      role: 'trainer',
      patients: 25,
      from,
    } as const;
    study.carry(0, study.propose(change), [0, 1, 2]);
    study.update(3, 2, values);
    expect((await fold()).members[3]).toMatchObject({ role: 'trainer', weight: 25, lastRound: 2 });
  });

  test('a new cohort weighs from its place on, also in means that were computed before', async () => {
    study.update(0, 1, [0, 0, 0, 0, 0]);
    study.update(1, 1, [40, 0, 0, 0, 0]);
    const folding = new StudyFold(study.study);
    for (const record of study.records) folding.add(record);
    expect((await folding.state(study.reader())).weights[0]).toBe(1010);
    const record = study.carry(0, study.propose(study.cap(1, 30, 0)), [0, 2, 3]);
    folding.add(record);
    const state = await folding.state(study.reader());
    expect(state.weights[0]).toBe(1020);
    expect(state).toEqual(await fold());
  });
});
