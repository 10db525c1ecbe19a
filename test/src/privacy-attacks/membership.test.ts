import { beforeAll, describe, expect, test } from 'vitest';
import { attackWithoutPrivacy, attackWithPrivacy, type MembershipAttack } from './membership.ts';

const seeds = [1, 2, 3, 4];
let without: readonly MembershipAttack[];
let withPrivacy: readonly MembershipAttack[];

beforeAll(async () => {
  without = await Promise.all(seeds.map(attackWithoutPrivacy));
  withPrivacy = await Promise.all(seeds.map(attackWithPrivacy));
});

describe.each(['loss', 'updates'] as const)('by the %s', (kind) => {
  test('every run without privacy tells who was trained on', () => {
    for (const attack of without) expect(attack[kind].low).toBeGreaterThan(0.65);
  });

  test('3 of 4 runs with privacy cannot be told from guessing, and none by much', () => {
    const areas = withPrivacy.map((attack) => attack[kind]);
    expect(areas.filter(({ low, high }) => low <= 0.5 && high >= 0.5).length).toBeGreaterThan(2);
    for (const { low } of areas) expect(low).toBeLessThan(0.55);
  });
});
