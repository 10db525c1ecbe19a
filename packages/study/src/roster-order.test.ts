import { approveRosterChange, type ProposedChange, type VerifiedRecord } from '@consilium/records';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { replay, StudyFold, type StudyState } from './replay.ts';
import { ChangingStudy, inOrder } from './roster-fixture.ts';

/** One thing that somebody does, sensible or not; numbers are taken modulo what there is to choose from. */
interface Act {
  readonly what: 'update' | 'change' | 'repeat' | 'rotate' | 'fork';
  readonly n: number;
  readonly m: number;
  readonly at: number;
  readonly approvers: readonly number[];
  readonly parent: number;
}

const act: fc.Arbitrary<Act> = fc.record({
  what: fc.constantFrom(
    'update',
    'update',
    'change',
    'change',
    'change',
    'repeat',
    'rotate',
    'fork',
  ),
  n: fc.nat(6),
  m: fc.nat(6),
  at: fc.nat(5),
  // Mostly enough of the four who have a say.
  approvers: fc.constantFrom([0, 1, 2], [0, 2, 3], [1, 2, 3], [0, 1, 2, 3], [0, 3], [0, 2, 3, 53]),
  parent: fc.nat(3),
});
const acts = fc.array(act, { minLength: 10, maxLength: 18 });

/** What a consortium that does all this has said, forks included, and its first record. */
function history(doings: readonly Act[]): { study: ChangingStudy; records: VerifiedRecord[] } {
  const study = new ChangingStudy([30, 10, 20]);
  const proposals: ProposedChange[] = [];
  const forks: VerifiedRecord[] = [];
  const speakers = [0, 1, 2, 3, 4, 50, 51];
  const speaker = (n: number): number => speakers[n % speakers.length] as number;
  for (const [i, { what, n, m, at, approvers, parent }] of doings.entries()) {
    const [from, other] = [speaker(n), speaker(m)];
    const last = proposals.at(-1 - parent) ?? null;
    if (what === 'update') study.update(from, 1 + (i % 8), [i, -i, n, m, at]);
    else if (what === 'repeat' && last !== null) study.carry(from, last, approvers);
    else if (what === 'rotate') study.rotate(from, 50 + (m % 4));
    else if (what === 'fork' && at < study.size(from) && (from > 0 || at > 0)) {
      forks.push(study.update(from, 1 + (i % 8), [1, 2, 3, 4, i], at));
    } else if (what === 'change') {
      const changes = [
        study.add(50 + (m % 3), 15 * (at % 2)),
        study.remove(other, at),
        study.hand(other, at, 53),
        study.demote(other, at),
        study.cap(other, 5 + 5 * at, at),
      ];
      const proposed = study.propose(changes[(m + at) % changes.length] as never, last);
      proposals.push(proposed);
      study.carry(from, proposed, approvers);
    }
  }
  return { study, records: [...study.records, ...forks] };
}

function shuffles(
  records: readonly VerifiedRecord[],
  seed: number,
  count: number,
): VerifiedRecord[][] {
  const whole = fc.shuffledSubarray([...records], { minLength: records.length });
  const repeats = fc.array(fc.constantFrom(...records), { maxLength: 5 });
  const arrivals = fc.tuple(whole, repeats).map(([order, again]) => [...again, ...order]);
  return fc.sample(arrivals, { seed, numRuns: count });
}

test('whatever happened and in whatever order it came, equal knowledge gives equal states', async () => {
  let applied = 0;
  await fc.assert(
    fc.asyncProperty(acts, fc.integer(), async (doings, seed) => {
      const { study, records } = history(doings);
      const expected = await replay(study.study, records, study.reader());
      applied += expected.changes.length;
      for (const order of shuffles(records, seed, 4)) {
        const folding = new StudyFold(study.study);
        for (const [i, record] of order.entries()) {
          folding.add(record);
          if (i % 7 === 3 && folding.founding() !== null) await folding.state(study.reader());
        }
        expect(await folding.state(study.reader())).toEqual(expected);
      }
    }),
    { numRuns: 15, seed: 11 },
  );
  expect(applied).toBeGreaterThan(12);
});

/** What the promise about heads covers: all but what lies beyond them. */
function essence({
  members,
  changes,
  rounds,
  evaluations,
  weights,
  digest,
  heads,
}: StudyState): object {
  const told = members.map(({ isHeard: _, ...member }) => member);
  return { members: told, changes, rounds, evaluations, weights, digest, heads };
}

test('whoever holds just the logs below a state’s heads comes to the same state', async () => {
  let cut = 0;
  await fc.assert(
    fc.asyncProperty(acts, fc.integer(), async (doings, seed) => {
      const { study, records } = history(doings);
      for (const some of fc.sample(fc.subarray(records), { seed, numRuns: 5 })) {
        const state = await replay(study.study, [study.manifest, ...some], study.reader());
        const sizes = new Map(state.heads.map(({ author, size }) => [author, size]));
        const below = [study.manifest, ...some].filter(
          ({ record }) => record.index < (sizes.get(record.author) ?? 0),
        );
        cut += some.length + 1 - below.length;
        expect(essence(await replay(study.study, below, study.reader()))).toEqual(essence(state));
      }
    }),
    { numRuns: 15, seed: 12 },
  );
  expect(cut).toBeGreaterThan(30);
});

test('two keys of four, with all that others ever signed at hand, change nothing that the others did not want', async () => {
  const forged = fc.record({
    target: fc.nat(3),
    parent: fc.constantFrom(0, 1, 2),
    mixed: fc.subarray([0, 1, 2, 3, 4, 5]),
    rotated: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(forged, { minLength: 1, maxLength: 6 }), async (attacks) => {
      const study = new ChangingStudy([30, 10, 20]);
      const first = study.propose(study.add(50, 0));
      const second = study.propose(study.demote(1, 7), first);
      const wanted = [first, second];
      // Sites 2 and 3 are honest: each signs one change for a place. Sites 0 and 1 sign whatever helps.
      const honest = wanted.flatMap((each) => study.approvals(each, [2, 3]));
      for (const each of wanted) study.carry(2, each, [0, 2, 3]);
      const { envelope } = study.rotate(1, 51);
      for (const [i, { target, parent, mixed, rotated }] of attacks.entries()) {
        const proposed = study.propose(
          study.remove(2 + (target % 2), i),
          parent === 0 ? null : (wanted[parent - 1] as ProposedChange),
        );
        const own = study.approvals(proposed, [0, 1]);
        const shown = approveRosterChange(study.key(51), study.study, proposed, [envelope]);
        const all = [...own, ...(rotated ? [shown] : []), ...mixed.flatMap((j) => honest[j] ?? [])];
        const distinct = new Map(all.map((approval) => [approval.site, approval]));
        study.carryWith(i % 2 === 0 ? 0 : 51, proposed, inOrder([...distinct.values()]));
      }
      const state = await replay(study.study, study.records, study.reader());
      expect(state.changes.map(({ body }) => body.change)).toEqual(
        wanted.map(({ change }) => change),
      );
    }),
    { numRuns: 12, seed: 13 },
  );
});
