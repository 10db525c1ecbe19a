import { expect, test } from 'vitest';
import type { Grid } from './grid.ts';
import { createRandom } from './random.ts';
import { growTree, type Point, type Tube } from './tree.ts';
import { paintTubes } from './tube.ts';

const grid: Grid = {
  size: [40, 40, 12],
  spacingMm: [1.5, 1.5, 3],
  originMm: [0, 0, 0],
  thicknessMm: 3,
};
const voxelMm3 = 1.5 * 1.5 * 3;

const tube = (from: Point, to: Point, radius: number): Tube => ({
  from,
  to,
  fromRadius: radius,
  toRadius: radius,
  generation: 0,
});

test.each([
  ['wide, along x', tube([12, 30, 16], [46, 30, 16], 5)],
  ['wide, along z', tube([30, 30, 6], [30, 30, 27], 5)],
  ['thin, along x', tube([10, 30, 16], [50, 30, 16], 0.6)],
  ['thin, along z', tube([30, 30, 4], [30, 30, 29], 0.6)],
  ['thin, oblique', tube([12, 14, 5], [46, 40, 28], 0.6)],
])('a tube keeps about its volume, whatever the voxels: %s', (_, piece) => {
  const volume = new Float32Array(40 * 40 * 12);
  paintTubes(volume, grid, [piece], 1);
  const painted = volume.reduce((a, b) => a + b, 0) * voxelMm3;
  const length = Math.hypot(...piece.to.map((p, i) => p - (piece.from[i] ?? 0)));
  const expected = Math.PI * piece.fromRadius ** 2 * length;
  expect(painted / expected).toBeGreaterThan(0.6);
  expect(painted / expected).toBeLessThan(1.6);
});

test('a tree reaches each of its targets and never widens on its way', () => {
  const random = createRandom(4);
  const targets = Array.from(
    { length: 50 },
    (): Point => [random.between(0, 60), random.between(0, 60), random.between(0, 30)],
  );
  const tubes = growTree({ root: [30, -10, 15], targets, twigRadius: 0.5, maxRadius: 9 }, random);
  for (const target of targets) {
    const nearest = Math.min(
      ...tubes.map(({ to }) => Math.hypot(to[0] - target[0], to[1] - target[1], to[2] - target[2])),
    );
    expect(nearest).toBeLessThan(1e-9);
  }
  for (const child of tubes) {
    expect(child.toRadius).toBeLessThanOrEqual(child.fromRadius);
    const parent = tubes.find((t) => t.to === child.from);
    if (child.generation > 1) expect(child.fromRadius).toBeLessThanOrEqual(parent?.toRadius ?? 0);
  }
});
