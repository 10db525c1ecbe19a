import { describe, expect, test } from 'vitest';
import { auditSeeds, claimOf, fullBatchRun, type LowerBounds, sampledRun } from './canary-audit.ts';
import { aThirdOfTheNoise, correct, everybodyInEveryStep, plantedBugs } from './implementations.ts';

const claim = claimOf(fullBatchRun);
const sampledClaim = claimOf(sampledRun);

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

test('the audited claims are those of a strict study', () => {
  expect(claim).toBeGreaterThan(2.3);
  expect(claim).toBeLessThan(2.5);
  expect(sampledClaim).toBeGreaterThan(2);
  expect(sampledClaim).toBeLessThan(3);
});

describe('the mechanism as it is', () => {
  test('keeps its claim in at least 29 of 30 runs, by either bound, which are far from trivial', async () => {
    const bounds = await auditSeeds(correct, fullBatchRun, 30);
    const within = (kind: keyof LowerBounds): number =>
      bounds.filter((bound) => bound[kind] <= claim).length;
    expect(within('epsilonDelta')).toBeGreaterThanOrEqual(29);
    expect(within('tradeOff')).toBeGreaterThanOrEqual(29);
    expect(median(bounds.map(({ epsilonDelta }) => epsilonDelta))).toBeGreaterThan(0.35 * claim);
    expect(median(bounds.map(({ tradeOff }) => tradeOff))).toBeGreaterThan(0.5 * claim);
  });

  test('keeps its claim when a fifth of the patients is in a step', async () => {
    const bounds = await auditSeeds(correct, sampledRun, 10);
    expect(bounds.filter(({ epsilonDelta }) => epsilonDelta <= sampledClaim)).toHaveLength(10);
    expect(median(bounds.map(({ epsilonDelta }) => epsilonDelta))).toBeGreaterThan(
      0.1 * sampledClaim,
    );
  });
});

describe('a lower bound above the claim finds', () => {
  test.each(Object.entries(plantedBugs))(
    '%s, in at least 9 of 10 runs by either bound',
    async (_, bug) => {
      const bounds = await auditSeeds(bug, fullBatchRun, 10);
      expect(bounds.filter(({ epsilonDelta }) => epsilonDelta > claim).length).toBeGreaterThan(8);
      expect(bounds.filter(({ tradeOff }) => tradeOff > claim).length).toBeGreaterThan(8);
    },
  );

  test('noise / 3, in at least 6 of 8 runs by the trade-off', async () => {
    const bounds = await auditSeeds(aThirdOfTheNoise, fullBatchRun, 8);
    expect(bounds.filter(({ tradeOff }) => tradeOff > claim).length).toBeGreaterThan(5);
  });

  test('everybody in every step, in at least 9 of 10 runs', async () => {
    const bounds = await auditSeeds(everybodyInEveryStep, sampledRun, 10);
    const found = bounds.filter(({ epsilonDelta }) => epsilonDelta > sampledClaim);
    expect(found.length).toBeGreaterThan(8);
  });
});
