import { openRecord } from '@consilium/records';
import { describe, expect, test } from 'vitest';
import { type Simulated, type SimulationInit, simulate } from './consortium.ts';
import type { Faults } from './virtual-network.ts';

const calm: Faults = {
  lossShare: 0,
  delayMs: 200,
  lateShare: 0,
  lateMs: 0,
  partitions: [],
  crashes: [],
};

/** What holds however a run went. */
async function expectAgreement({ states, logs }: Simulated, init: SimulationInit): Promise<void> {
  const [first] = states as [Simulated['states'][number]];
  const gone = init.faults.crashes.filter(({ to }) => to === Infinity);
  expect(states).toHaveLength(
    init.trainers + 2 - gone.length - (init.removed === undefined ? 0 : 1),
  );
  for (const state of states) {
    expect(state.digest).toBe(first.digest);
    expect(state.heads).toEqual(first.heads);
    expect(state.missing).toEqual([]);
    expect(state.findings).toEqual([]);
  }
  // At most one update a site and round, in rounds that the study has.
  for (const { site } of first.members) {
    const given = first.rounds.flatMap(({ round, updates }) =>
      updates.filter((update) => update.site === site).map(() => round),
    );
    expect(new Set(given).size).toBe(given.length);
  }
  expect(first.rounds).toHaveLength(init.rounds);
  // Every log is the same log, and whoever reads it from the beginning gets what the sites have.
  const records = await Promise.all(
    logs.map(async (log) => {
      const entries = await Promise.all(
        log
          .heads()
          .map(({ author, size }) => log.read(author, 0, { maxEntries: size, maxBytes: 2 ** 26 })),
      );
      return entries.flat().map((entry) => openRecord(entry));
    }),
  );
  const ids = records.map((all) => all.map(({ id }) => Buffer.from(id).toString('hex')));
  for (const each of ids) expect(each).toEqual(ids[0]);
  const counted = new Map(first.heads.map(({ author, size }) => [author, size]));
  const updates = (records[0] ?? []).filter(
    ({ record: { kind, author, index } }) =>
      kind === 'update' && index < (counted.get(author) ?? 0),
  );
  expect(updates).toHaveLength(first.rounds.reduce((sum, round) => sum + round.updates.length, 0));
}

describe('the site’s own loop in virtual time', () => {
  test('twenty sites agree on one model over six rounds, with losses, cuts, crashes and late payloads', async () => {
    const init: SimulationInit = {
      seed: 1,
      trainers: 18,
      rounds: 6,
      quorum: 10,
      lostShare: 0.05,
      faults: {
        lossShare: 0.15,
        delayMs: 1_500,
        lateShare: 0.1,
        lateMs: 60_000,
        partitions: [{ from: 40_000, to: 180_000, sites: new Set([0, 1, 2, 3, 4]) }],
        crashes: [
          { site: 7, from: 30_000, to: 70_000 },
          { site: 8, from: 25_000, to: 260_000 },
          { site: 7, from: 120_000, to: 130_000 },
        ],
      },
    };
    const run = await simulate(init);
    await expectAgreement(run, init);
    // The faults were felt: somebody missed a round, and jobs and transfers failed.
    expect(run.states[0]?.rounds.some(({ absent }) => absent.length > 0)).toBe(true);
    expect(run.trace.some((line) => line.includes('PROCESS_LOST'))).toBe(true);
    expect(run.trace.some((line) => line.includes('BLOB_UNAVAILABLE'))).toBe(true);
  }, 120_000);

  test('without faults nobody is absent from any round', async () => {
    const init = { seed: 5, trainers: 5, rounds: 4, quorum: 3, lostShare: 0, faults: calm };
    const run = await simulate(init);
    await expectAgreement(run, init);
    expect(run.states[0]?.rounds.flatMap(({ absent }) => absent)).toEqual([]);
    expect(run.states[0]?.evaluations.some(({ state }) => state === run.states[0]?.digest)).toBe(
      true,
    );
  }, 60_000);

  test.each([20_000, 35_000, 50_000, 65_000])(
    'a hospital that is gone for good after %i ms keeps nobody from the last round and its evaluation',
    async (from) => {
      const crashes = [{ site: 1, from, to: Infinity }];
      const init = { ...faulty(31), faults: { ...calm, crashes } };
      const run = await simulate(init);
      await expectAgreement(run, init);
      const { members, rounds } = run.states[0] as Simulated['states'][number];
      expect(members[1]?.lastRound).toBeLessThan(init.rounds);
      expect(rounds.at(-1)?.absent).toEqual([members[1]?.site]);
    },
    60_000,
  );

  test('a hospital that is removed on the way keeps nobody from the last round, and all agree on what of it counts', async () => {
    const init = { ...faulty(41), removed: { site: 4, atMs: 40_000 } };
    const run = await simulate(init);
    await expectAgreement(run, init);
    const [first] = run.states as [Simulated['states'][number]];
    expect(first.members[4]).toMatchObject({ isRemoved: true, isHeard: false });
    expect(first.members[4]?.lastRound).toBeLessThan(init.rounds);
    // Every site has the removal in its own log.
    expect(first.changes[0]?.carriedBy).toHaveLength(init.trainers + 1);
  }, 60_000);

  test.each([11, 12, 13])(
    'agrees under the faults of seed %i',
    async (seed) => {
      const init = faulty(seed);
      await expectAgreement(await simulate(init), init);
    },
    60_000,
  );

  test('the same seed gives the same run, line by line, and another seed another', async () => {
    const one = await simulate(faulty(21));
    const same = await simulate(faulty(21));
    const other = await simulate(faulty(22));
    expect(same.trace).toEqual(one.trace);
    expect(same.elapsedMs).toBe(one.elapsedMs);
    expect(same.states[0]?.digest).toBe(one.states[0]?.digest);
    expect(other.states[0]?.digest).not.toBe(one.states[0]?.digest);
  }, 60_000);
});

function faulty(seed: number): SimulationInit {
  return {
    seed,
    trainers: 5,
    rounds: 4,
    quorum: 3,
    lostShare: 0.1,
    faults: {
      lossShare: 0.25,
      delayMs: 3_000,
      lateShare: 0.2,
      lateMs: 120_000,
      partitions: [{ from: 20_000, to: 150_000, sites: new Set([seed % 5, 5]) }],
      crashes: [
        { site: (seed + 1) % 5, from: 15_000, to: 60_000 },
        { site: (seed + 2) % 5, from: 5_000, to: 12_000 },
      ],
    },
  };
}
