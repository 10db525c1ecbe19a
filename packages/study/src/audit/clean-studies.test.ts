import { expect, test } from 'vitest';
import { archive, inMemory } from './archive-fixture.ts';
import { eventfulStudy } from './eventful-fixture.ts';
import { generousPolicy } from './study-manifest-fixture.ts';
import { verifyBundle } from './verify-bundle.ts';

const seeds = Array.from({ length: 20 }, (_, i) => i + 1);

test.each(seeds)(
  'nothing is found in an honest study, whatever happened to it: %i',
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
    console.log(
      seed,
      report.verdicts.flatMap((v) => v.findings),
      report.verdicts.find((v) => v.name === 'lineage')?.remarks,
      report.verdicts.find((v) => v.name === 'lineage')?.statement,
      report.verdicts.find((v) => v.name === 'noise')?.statement,
      report.members.map((m) => m.rounds.join('')).join(' '),
    );
    expect(report.verdicts.flatMap(({ findings }) => findings)).toEqual([]);
    expect(report.isSound).toBe(true);
  },
);
