import { expect, test } from 'vitest';
import { inMemory } from './archive-fixture.ts';
import { logFaults } from './log-faults-fixture.ts';
import { modelFaults } from './model-faults-fixture.ts';
import { standingFaults } from './standing-faults-fixture.ts';
import { verifyBundle } from './verify-bundle.ts';

test.each([...logFaults, ...standingFaults, ...modelFaults])(
  '$name is found: $codes',
  async ({ make, codes }) => {
    const { verdicts, isSound } = await verifyBundle(inMemory(await make()));
    const found = verdicts.flatMap(({ findings }) => findings.map(({ code }) => code));
    expect([...new Set(found)]).toEqual(codes);
    expect(isSound).toBe(false);
  },
);
