import {
  consistencyProof,
  contradictionOf,
  encodeCheckpoint,
  leafHash,
  merkleRoot,
  signCheckpoint,
  type VerifiedCheckpoint,
} from '@consilium/log';
import { type EquivocationBody, sign, type VerifiedRecord } from '@consilium/records';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { accusationIn } from './equivocation.ts';
import { foldAt } from './history.ts';
import { logKeyOf, logName, siteOfLog, witnessKeyOf } from './log-name.ts';
import { replay, StudyFold, type StudyState } from './replay.ts';
import { TestStudy } from './study-fixture.ts';

/** Three trainers with three updates each; site 0 has the manifest as well. */
function grown(): TestStudy {
  const study = new TestStudy([10, 20, 30]);
  for (const round of [1, 2, 3]) {
    for (const site of [0, 1, 2]) {
      study.update(site, round, [6 * site, 60, -6 * round, 0, 1 + round]);
    }
  }
  return study;
}

const leavesOf = (study: TestStudy, site: number): Uint8Array[] =>
  study.records
    .filter(({ record }) => record.author === study.key(site).id)
    .map(({ leaf }) => leaf);

/** A checkpoint of the site over these leaves, signed by whoever `signer` is. */
function checkpoint(
  study: TestStudy,
  site: number,
  leaves: readonly Uint8Array[],
  signer = site,
): VerifiedCheckpoint {
  const { secretKey } = study.key(signer);
  const key = logKeyOf(study.study, study.key(site).id);
  const root = merkleRoot(leaves);
  return signCheckpoint(
    { size: leaves.length, root },
    { ...key, sign: (message) => sign(message, secretKey) },
  );
}

/** What proves that the site signed another log of `size` records, beside the one it has of `larger`. */
function proof(study: TestStudy, site: number, size: number, larger: number): EquivocationBody {
  const leaves = leavesOf(study, site).slice(0, larger);
  const others = [...leaves.slice(0, size - 1), Uint8Array.of(site, size)];
  const { id } = study.key(site);
  const contradiction = contradictionOf(
    checkpoint(study, site, others),
    checkpoint(study, site, leaves),
    logKeyOf(study.study, id),
    leaves.map(leafHash),
  );
  if (contradiction === undefined) throw new TypeError('they do not contradict each other');
  return { site: id, ...contradiction };
}

const accuse = (study: TestStudy, by: number, body: EquivocationBody): VerifiedRecord =>
  study.say(by, { kind: 'equivocation', body });

test('a site that signed two logs counts up to where they part at the latest, whoever says so', async () => {
  const study = grown();
  const honest = await replay(study.study, study.records, study.reader());
  accuse(study, 4, proof(study, 1, 2, 3)); // site 4 is the observer
  const state = await replay(study.study, study.records, study.reader());
  expect(state.findings).toEqual([
    expect.objectContaining({ code: 'SPLIT_VIEW', site: study.key(1).id, index: 1 }),
  ]);
  expect(state.members[1]).toMatchObject({ logSize: 1, lastRound: 1 });
  expect(state.members[0]).toEqual(honest.members[0]);
  expect(state.digest).not.toBe(honest.digest);
});

test('whatever the order of arrival, and whatever else is known, the lowest proof counts', async () => {
  const study = grown();
  // Accusations of each other, of which one lies where its carrier counts no more, and one by the accused.
  accuse(study, 1, proof(study, 2, 3, 3));
  accuse(study, 2, proof(study, 1, 3, 3));
  accuse(study, 1, proof(study, 2, 2, 3));
  accuse(study, 0, proof(study, 0, 4, 4));
  accuse(study, 4, proof(study, 1, 2, 2));
  const { records } = study;
  const expected = await replay(study.study, records, study.reader());
  expect(expected.findings.map(({ code, index }) => [code, index])).toEqual([
    ['SPLIT_VIEW', 3],
    ['SPLIT_VIEW', 1],
    ['SPLIT_VIEW', 1],
  ]);
  const arrivals = fc.tuple(
    fc.shuffledSubarray(records, { minLength: records.length }),
    fc.array(fc.constantFrom(...records), { maxLength: 5 }),
    fc.nat(records.length),
  );
  await fc.assert(
    fc.asyncProperty(arrivals, async ([order, repeats, ask]) => {
      const fold = new StudyFold(study.study);
      for (const [i, record] of [...order, ...repeats].entries()) {
        fold.add(record);
        if (i === ask && fold.founding() !== null) await fold.state(study.reader());
      }
      expect(await fold.state(study.reader())).toEqual(expected);
      expect(fold.accusations().map(({ site, index }) => [site, index])).toEqual(
        expect.arrayContaining([
          [study.key(0).id, 3],
          [study.key(1).id, 1],
          [study.key(2).id, 1],
        ]),
      );
    }),
    { numRuns: 60, seed: 21 },
  );
});

test('the heads of the state give the state again, without the accusation', async () => {
  const study = grown();
  accuse(study, 1, proof(study, 2, 2, 3));
  accuse(study, 0, proof(study, 1, 2, 3)); // cuts away the accusation before
  const fold = new StudyFold(study.study);
  for (const record of study.records) fold.add(record);
  const state = await fold.state(study.reader());
  const again = await foldAt(fold, study.study, state.heads).state(study.reader());
  // That a site is not heard any more is known only to those who know why.
  const told = ({ members, findings: _, ...rest }: StudyState): unknown => ({
    ...rest,
    members: members.map(({ isHeard: _, ...member }) => member),
  });
  expect(told(again)).toEqual(told(state));
});

test('is carried when a log has it that everybody will get', () => {
  const study = grown();
  const against = (fold: StudyFold): boolean[] => fold.accusations().map((each) => each.isCarried);
  const fold = new StudyFold(study.study);
  for (const record of study.records) fold.add(record);
  expect(fold.accusations()).toEqual([]);
  fold.add(accuse(study, 1, proof(study, 2, 2, 3)));
  expect(against(fold)).toEqual([true]);
  // Site 1 forks before its accusation: who hears of the fork first never gets it.
  fold.add(study.update(1, 3, [9, 9, 9, 9, 9], 2));
  expect(against(fold)).toEqual([false]);
  fold.add(accuse(study, 3, proof(study, 2, 2, 3)));
  expect(against(fold)).toEqual([true]);
  // A fork behind the accusation stops that log from being passed on as well.
  fold.add(study.update(3, 1, [1, 2, 3, 4, 5], 1));
  fold.add(study.evaluation(3, 1));
  expect(against(fold)).toEqual([false]);
  fold.add(accuse(study, 4, proof(study, 2, 2, 3)));
  expect(against(fold)).toEqual([true]);
  // A stronger one makes the others too little.
  fold.add(accuse(study, 2, proof(study, 2, 1, 3)));
  expect(fold.accusations()).toMatchObject([{ index: 0, isCarried: false }]);
});

test('a fork at the same index keeps its own name', async () => {
  const study = grown();
  accuse(study, 4, proof(study, 1, 3, 3));
  const fork = study.update(1, 3, [9, 9, 9, 9, 9], 2);
  const state = await replay(study.study, [...study.records, fork], study.reader());
  expect(state.findings).toMatchObject([{ code: 'FORK', index: 2 }]);
});

test('an honest site cannot be accused, whatever of its own checkpoints is put together', () => {
  const study = grown();
  const leaves = leavesOf(study, 0);
  const checkpoints = [1, 2, 3, 4].map((size) => checkpoint(study, 0, leaves.slice(0, size)));
  const key = logKeyOf(study.study, study.key(0).id);
  const bodies = checkpoints.flatMap((smaller) =>
    checkpoints
      .filter(({ size }) => size >= smaller.size)
      .map((larger) => {
        expect(contradictionOf(smaller, larger, key, leaves.map(leafHash))).toBeUndefined();
        return { smaller, larger };
      }),
  );
  expect(bodies).toHaveLength(10);
  for (const { smaller, larger } of bodies) {
    const hashes = leaves.slice(0, larger.size).map(leafHash);
    const grown = {
      site: study.key(0).id,
      smaller: encodeCheckpoint(smaller),
      larger: encodeCheckpoint(larger),
      root: smaller.root,
      proof: consistencyProof(hashes, smaller.size),
    };
    expect(accusationIn(accuse(study, 4, grown), study.study)).toBeNull();
    for (const root of [smaller.root, larger.root, new Uint8Array(32)]) {
      const body = {
        site: study.key(0).id,
        smaller: encodeCheckpoint(smaller),
        larger: encodeCheckpoint(larger),
        root,
        proof: larger.size > smaller.size ? leaves.slice(0, 2).map(leafHash) : [],
      };
      expect(accusationIn(accuse(study, 4, body), study.study)).toBeNull();
    }
  }
});

test.each<[string, (study: TestStudy) => EquivocationBody]>([
  ['of another site', (study) => ({ ...proof(study, 1, 2, 3), site: study.key(2).id })],
  ['of another study', () => proof(new TestStudy([10, 20, 31]), 0, 1, 1)],
  [
    'that somebody else signed',
    (study) => {
      const leaves = leavesOf(study, 1);
      const forged = checkpoint(study, 1, [Uint8Array.of(1), ...leaves.slice(1)], 2);
      const { id } = study.key(1);
      const contradiction = contradictionOf(
        forged,
        checkpoint(study, 1, leaves),
        logKeyOf(study.study, id),
        [],
      );
      return { site: id, ...contradiction } as EquivocationBody;
    },
  ],
])('checkpoints %s prove nothing', async (_, make) => {
  const study = grown();
  accuse(study, 4, make(study));
  const state = await replay(study.study, study.records, study.reader());
  expect(state.findings).toEqual([]);
});

test('an accusation in a record of another study is none', () => {
  const study = grown();
  const body = proof(study, 1, 2, 3);
  const record = study.say(4, { kind: 'equivocation', body }, new Uint8Array(32).fill(3));
  expect(accusationIn(record, study.study)).toBeNull();
});

test('names of logs are told apart by study and site, and read back', () => {
  const study = grown();
  const { id, publicKey } = study.key(1);
  const name = logName(study.study, id);
  expect(name).toBe(`consilium/${Buffer.from(study.study).toString('hex')}/${id}`);
  expect(siteOfLog(study.study, name)).toBe(id);
  expect(logKeyOf(study.study, id)).toEqual({ type: 'ed25519', name, publicKey });
  expect(witnessKeyOf(study.study, id)).toEqual({ type: 'cosignature', name, publicKey });
  for (const other of [`${name}x`, name.slice(0, -1), id, `x${name}`, '']) {
    expect(siteOfLog(study.study, other)).toBeUndefined();
  }
  expect(siteOfLog(new Uint8Array(32), name)).toBeUndefined();
});
