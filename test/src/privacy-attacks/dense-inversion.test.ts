import { describe, expect, test } from 'vitest';
import { attackClipped, attackGradient, attackReleases } from './dense-inversion.ts';

describe.each([1, 2, 3, 4])('image %i', (seed) => {
  test('comes back whole from its gradient', () => {
    const { strongestUnit, toldBiases } = attackGradient(seed);
    expect(strongestUnit).toBeGreaterThan(0.99);
    expect(toldBiases).toBeGreaterThan(0.99);
  });

  test('comes back from none of the releases, nor from all of them together', async () => {
    const { oneStep, allSteps } = await attackReleases(seed);
    for (const { strongestUnit, toldBiases } of [oneStep, allSteps]) {
      expect(strongestUnit).toBeLessThan(0.15);
      expect(toldBiases).toBeLessThan(0.15);
    }
  });
});

test('it is the noise that guards an image, and not the clipping', async () => {
  const { strongestUnit, toldBiases } = await attackClipped(5);
  expect(strongestUnit).toBeGreaterThan(0.99);
  expect(toldBiases).toBeGreaterThan(0.99);
});
