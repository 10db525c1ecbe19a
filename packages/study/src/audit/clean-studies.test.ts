import { describe, expect, test } from 'vitest';
import { archive, inMemory } from './archive-fixture.ts';
import { AuditStudy } from './audit-fixture.ts';
import { eventfulStudy } from './eventful-fixture.ts';
import { changeRoster, handOn } from './roster-fixture.ts';
import { generousPolicy } from './study-manifest-fixture.ts';
import { verifyBundle } from './verify-bundle.ts';

const seeds = Array.from({ length: 20 }, (_, i) => i + 1);

test.each(seeds)(
  'nothing is found in an honest study, whatever happens to it: %i',
  async (seed) => {
    const isPrivate = seed % 2 === 0;
    const study = await eventfulStudy({
      seed: `eventful ${seed}`,
      patients: [20, 30, 25, 40].slice(0, 2 + (seed % 3)),
      rounds: 4,
      coordinates: isPrivate ? 1_500 : 30,
      privacy: isPrivate ? { ...generousPolicy, sampleRate: seed % 4 === 0 ? 1 : 0.3 } : null,
      payloadBits: seed % 5 === 0 ? 8 : 16,
      steps: 1 + (seed % 3),
      witnessQuorum: seed % 3,
    });
    const report = await verifyBundle(inMemory(await archive(study.parts())));
    expect(report.verdicts.flatMap(({ findings }) => findings)).toEqual([]);
    expect(report.isSound).toBe(true);
    // The walk through the rounds and the node's own fold are two ways to one model.
    expect(report.rounds.at(-1)?.digest).toBe((await study.state(0)).digest);
  },
);

describe('nothing is found where the roster changes', () => {
  const privacy = { ...generousPolicy, sampleRate: 1 };
  const init = { seed: 'roster', patients: [20, 30, 40], rounds: 2, spareKeys: 1, privacy };
  const trainers = [0, 1, 2];

  async function findings(study: AuditStudy): Promise<string[]> {
    const { verdicts } = await verifyBundle(inMemory(await archive(study.parts())));
    return verdicts.flatMap(({ findings: all }) => all.map(({ code }) => code));
  }

  async function goOn(study: AuditStudy, sites: readonly number[]): Promise<void> {
    for (const round of [3, 4]) {
      for (const site of sites) await study.train(site, round);
      await study.syncAll();
    }
    await study.evaluate(0, 4);
    await study.syncAll();
  }

  test('by the removal of a trainer', async () => {
    const study = await new AuditStudy({ ...init, coordinates: 1_200 }).run();
    const { id } = study.key(2);
    const until = [{ key: id, at: study.size(2) }];
    await changeRoster(study, { kind: 'remove', site: id, until }, trainers);
    await goOn(study, [0, 1]);
    expect(await findings(study)).toEqual([]);
  });

  test('by a trainer that joins', async () => {
    const study = await new AuditStudy({ ...init, coordinates: 1_200 }).run();
    const entry = { site: study.key(4).id, name: 'late', role: 'trainer', patients: 25 } as const;
    await changeRoster(study, { kind: 'add', entry: { ...entry, addresses: [] } }, trainers);
    await goOn(study, [0, 1, 2, 4]);
    expect(await findings(study)).toEqual([]);
  });

  test.each([10, 90])('by a trainer that declares %i patients from then on', async (patients) => {
    const study = await new AuditStudy({ ...init, coordinates: 1_200 }).run();
    const { id } = study.key(1);
    const from = { key: id, at: study.size(1) };
    await changeRoster(study, { kind: 'cap', site: id, patients, from }, trainers);
    await goOn(study, trainers);
    expect(await findings(study)).toEqual([]);
  });

  test('by a key that hands on to another', async () => {
    const study = await new AuditStudy({ ...init, coordinates: 1_200 }).run();
    await handOn(study, 1, 4);
    await study.syncAll();
    await goOn(study, [0, 4, 2]);
    expect(await findings(study)).toEqual([]);
  });
});
