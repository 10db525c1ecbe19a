import { beforeEach, describe, expect, test } from 'vitest';
import { ApiStudy } from './api-fixture.ts';

let study: ApiStudy;
beforeEach(() => {
  study = new ApiStudy();
});

test('follows what comes, and gives the same state while nothing does', async () => {
  const history = study.history();
  const before = await history.latest();
  expect(before.rounds).toEqual([]);
  expect(await history.latest()).toBe(before);
  study.update(1, 1, 11, before);
  const after = await history.latest();
  expect(after.rounds).toMatchObject([{ round: 1, absent: [study.key(0).id, study.key(2).id] }]);
  expect(after.digest).not.toBe(before.digest);
});

test('gives each round’s state, and none of a round that nobody has reached', async () => {
  await study.twoRounds();
  const history = study.history();
  const outlines = await history.rounds(0, 9);
  expect(outlines.map(({ round }) => round)).toEqual([0, 1, 2, 3]);
  expect(outlines.at(-1)?.digest).toBe((await history.latest()).digest);
  for (const { round, digest, heads } of outlines) {
    const fresh = study.history();
    expect((await fresh.atRound(round))?.digest).toBe(digest);
    expect((await fresh.atHeads(heads)).digest).toBe(digest);
  }
  // A second time from what is remembered; a page that begins in the middle is a part of the whole.
  expect(await history.rounds(0, 9)).toEqual(outlines);
  expect(await study.history().rounds(2, 2)).toEqual(outlines.slice(2, 3));
  expect(await history.atRound(4)).toBeNull();
});

describe('by digest', () => {
  test('finds the latest, those of rounds, and one that only an evaluation names', async () => {
    const { evaluated } = await study.twoRounds();
    const rounds = await study.history().rounds(0, 9);
    expect(rounds.map(({ digest }) => digest)).not.toContain(evaluated.digest);
    for (const digest of [...rounds.map((outline) => outline.digest), evaluated.digest]) {
      const state = await study.history().byDigest(digest);
      expect(state?.digest).toBe(digest);
    }
    const found = await study.history().byDigest(evaluated.digest);
    expect(found?.weights).toEqual(evaluated.weights);
    expect(found?.rounds).toEqual(evaluated.rounds);
  });

  test('gives the same heads for a digest whatever was asked before', async () => {
    await study.twoRounds();
    const history = study.history();
    const [, first] = await history.rounds(0, 9);
    const base = study.logs.get(study.key(0).id)?.[2]?.record.heads ?? [];
    const named = base.map(({ author, size, root }) => ({
      author,
      size,
      root: Buffer.from(root).toString('hex'),
    }));
    // hospital-a trained its second update from these weights, at heads that it wrote in another record.
    expect((await history.atHeads(named)).digest).toBe(first?.digest);
    expect((await history.byDigest(first?.digest ?? ''))?.heads).toEqual(first?.heads);
  });

  test('does not believe a record that names a digest with other logs', async () => {
    const { evaluated } = await study.twoRounds();
    study.say(
      3,
      {
        kind: 'evaluation',
        body: {
          round: 1,
          state: Buffer.alloc(32, 0xab),
          patients: 5,
          metrics: [{ name: 'x', value: 0.5, low: null, high: null }],
        },
      },
      evaluated.heads,
    );
    expect(await study.history().byDigest('ab'.repeat(32))).toBeNull();
  });
});

test('a fork takes back states that reach over it, also those that were given before', async () => {
  await study.twoRounds();
  const history = study.history();
  const { heads } = await history.latest();
  const [, first] = await history.rounds(0, 9);
  expect((await history.atHeads(heads)).rounds).toHaveLength(3);
  study.update(0, 2, 99, await history.latest(), 2);
  await expect(history.atHeads(heads)).rejects.toMatchObject({ code: 'HEADS_UNKNOWN' });
  expect((await history.latest()).findings).toMatchObject([{ code: 'FORK', index: 2 }]);
  expect((await history.atHeads(first?.heads ?? [])).digest).toBe(first?.digest);
});

test('a state with a missing payload says so, and is computed again until it is there', async () => {
  const history = (hidden: Set<string>) => study.history(hidden);
  const hidden = new Set<string>();
  const late = history(hidden);
  const record = study.update(2, 1, 5, await late.latest()).record;
  if (!record.known || record.kind !== 'update') throw new TypeError('it is an update');
  const payload = Buffer.from(record.body.payload.digest).toString('hex');
  hidden.add(payload);
  expect((await late.latest()).missing).toMatchObject([{ digest: payload, round: 1 }]);
  expect((await late.rounds(1, 1))[0]?.isComplete).toBe(false);
  hidden.clear();
  const whole = await late.latest();
  expect(whole.missing).toEqual([]);
  expect(await late.rounds(1, 1)).toMatchObject([{ digest: whole.digest, isComplete: true }]);
});

test('questions that come at once get the answers that they get one by one', async () => {
  const { evaluated } = await study.twoRounds();
  const ask = (history: ReturnType<ApiStudy['history']>) => [
    () => history.latest(),
    () => history.atRound(1),
    () => history.byDigest(evaluated.digest),
    () => history.atRound(2),
    () => history.byDigest('00'.repeat(32)),
  ];
  const together = await Promise.all(ask(study.history()).map((each) => each()));
  for (const [i, each] of ask(study.history()).entries())
    expect(together[i]?.digest).toBe((await each())?.digest);
});
