import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { alterIntensity, cutOut, drawPlacement, type Placement } from './augment.ts';
import { seeded } from './seeded.ts';
import { type AugmentationSpec, defaultTask } from './task.ts';

const spec = defaultTask.training.augmentation;
const none = Object.fromEntries(Object.keys(spec).map((key) => [key, 0])) as {
  [key in keyof AugmentationSpec]: number;
};
const plane = Float32Array.from({ length: 64 }, (_, i) => (i * 37) % 23);

function cut(placement: Placement, beyond: 'border' | 'zero' = 'border', crop = 8): Float32Array {
  const target = new Float32Array(crop * crop);
  cutOut(plane, 8, placement, beyond, 1, target, crop);
  return target;
}

describe('placement', () => {
  test('without augmentation a sample is the middle of the plane', () => {
    const placement = drawPlacement(none, 8, seeded(1));
    expect(cut(placement)).toEqual(plane);
    const middle = cut(placement, 'border', 4);
    expect(middle[0]).toBe(plane[2 * 8 + 2]);
    expect(middle[15]).toBe(plane[5 * 8 + 5]);
  });

  test('a vertical flip puts the last row first', () => {
    const flipped = cut(drawPlacement({ ...none, flipVertical: 1 }, 8, seeded(1)));
    expect([...flipped.slice(0, 8)]).toEqual([...plane.slice(56)]);
  });

  test('a horizontal flip puts the last column first', () => {
    const flipped = cut(drawPlacement({ ...none, flipHorizontal: 1 }, 8, seeded(1)));
    expect([...flipped.slice(0, 8)]).toEqual([...plane.slice(0, 8)].reverse());
  });

  test('a turn by 90° moves the right-hand column to the top or the bottom', () => {
    const turned = cut({ a: 0, b: -1, c: 1, d: 0, e: 0, f: 0 });
    expect([...turned.slice(0, 8)]).toEqual(Array.from({ length: 8 }, (_, i) => plane[i * 8 + 7]));
  });

  test('beyond the plane there is its border, or nothing for masks', () => {
    const far = { a: 1, b: 0, c: 0, d: 1, e: 100, f: 0 };
    expect([...cut(far).slice(0, 2)]).toEqual([plane[7], plane[7]]);
    expect(cut(far, 'zero').every((value) => value === 0)).toBe(true);
  });

  test('whatever is drawn, image and mask values stay within those of the plane', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const placed = cut(drawPlacement(spec, 8, seeded(seed)), 'zero');
        expect(Math.min(...placed)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...placed)).toBeLessThanOrEqual(Math.max(...plane));
      }),
      { seed: 4, numRuns: 200 },
    );
  });
});

describe('intensity', () => {
  test('without augmentation stays, up to the bounds of the gamma curve', () => {
    const image = Float32Array.from(plane, (value) => value / 12 - 0.9);
    const before = image.slice();
    alterIntensity(image, 8, none, seeded(1));
    for (const [i, value] of image.entries()) {
      expect(value).toBeCloseTo(before[i] as number, 5);
    }
  });

  test('is changed alike in every plane of a sample, noise apart', () => {
    const image = new Float32Array(3 * 64);
    for (let z = 0; z < 3; z++) {
      image.set(
        plane.map((value) => value / 12 - 0.9),
        z * 64,
      );
    }
    alterIntensity(image, 8, { ...spec, noise: 0, blur: 1 }, seeded(3));
    expect(image.slice(64, 128)).toEqual(image.slice(0, 64));
    expect(image.slice(128)).toEqual(image.slice(0, 64));
    expect(image[0]).not.toBeCloseTo((plane[0] as number) / 12 - 0.9, 2);
  });

  test('stays finite for any scan', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e6 }),
        fc.float({ noNaN: true, min: -1e6, max: 1e6 }),
        (seed, level) => {
          const image = new Float32Array(64).fill(level);
          alterIntensity(image, 8, spec, seeded(seed));
          expect(image.every(Number.isFinite)).toBe(true);
        },
      ),
      { seed: 4, numRuns: 200 },
    );
  });
});
