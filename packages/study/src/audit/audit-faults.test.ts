import { expect, test } from 'vitest';
import { inMemory } from './archive-fixture.ts';
import { faults } from './audit-faults.ts';
import { verifyBundle } from './verify-bundle.ts';

test.each(faults)('$name is found: $codes', async ({ make, codes }) => {
  const { verdicts, isSound } = await verifyBundle(inMemory(await make()));
  const found = verdicts.flatMap(({ findings }) => findings.map(({ code }) => code));
  expect([...new Set(found)]).toEqual([...new Set(codes)]);
  expect(isSound).toBe(false);
});
