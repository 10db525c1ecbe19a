import { expect, test } from 'vitest';
import { archive, inMemory } from './archive-fixture.ts';
import { AuditStudy } from './audit-fixture.ts';
import { generousPolicy } from './study-manifest-fixture.ts';
import { verifyBundle } from './verify-bundle.ts';

test('an honest study is sound, and its every question is answered', async () => {
  const study = await new AuditStudy({
    seed: 'a',
    patients: [20, 30, 40],
    rounds: 3,
    privacy: generousPolicy,
    coordinates: 2_000,
  }).run();
  const report = await verifyBundle(inMemory(await archive(study.parts())));
  console.log(JSON.stringify(report, null, 1));
  expect(report.isSound).toBe(true);
});
