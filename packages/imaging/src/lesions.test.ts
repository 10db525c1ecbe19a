import { expect, test } from 'vitest';
import { burden, lesionsOf } from './lesions.ts';
import type { Mask, Scan, Size } from './scan.ts';
import { sidesOf } from './side.ts';

const size: Size = [8, 2, 2];

/** Voxels at x = 1..2 and 5..7 are lung: two lungs, the right picture half the larger. */
const lung = maskOf((x) => (x >= 1 && x <= 2) || x >= 5);

function maskOf(inside: (x: number, y: number, z: number) => boolean): Mask {
  const voxels = Uint8Array.from({ length: 32 }, (_, i) =>
    inside(i % 8, Math.floor(i / 8) % 2, Math.floor(i / 16)) ? 1 : 0,
  );
  return { voxels, size };
}

function scanWith(affine: readonly number[] | null, spacingMm: Scan['spacingMm'] = null): Scan {
  return {
    voxels: Float32Array.from({ length: 32 }, (_, i) => i),
    size,
    spacingMm,
    affine,
    intensity: 'hounsfield',
  };
}

const usual = [2, 0, 0, -7, 0, 2, 0, 0, 0, 0, 5, 0, 0, 0, 0, 1];
const mirrored = [-2, 0, 0, 7, 0, 2, 0, 0, 0, 0, 5, 0, 0, 0, 0, 1];

test('measures lesions in ml and names the side by the affine', () => {
  const lesion = maskOf((x, y, z) => (x === 1 && y === 0 && z === 0) || x === 6);
  const found = lesionsOf(lesion, scanWith(usual, [2, 2, 5]), { lung });
  expect(found).toHaveLength(2);
  // x = 6 in four rows: indices 6, 14, 22, 30.
  expect(found[0]).toMatchObject({ voxels: 4, ml: 0.08, meanIntensity: 18, side: 'left' });
  expect(found[1]).toMatchObject({ voxels: 1, ml: 0.02, meanIntensity: 1, side: 'right' });
});

test('follows the affine when the picture is stored mirrored', () => {
  const lesion = maskOf((x) => x === 6);
  expect(lesionsOf(lesion, scanWith(mirrored), { lung })[0]?.side).toBe('right');
});

test('claims no volume without a spacing and no side without an affine', () => {
  const lesion = maskOf((x) => x === 6);
  expect(lesionsOf(lesion, scanWith(null), { lung })[0]).toMatchObject({ ml: null, side: null });
});

test('takes the side from a declaration where the affine is lost', () => {
  const sideOf = sidesOf(scanWith(null), lung, { leftIs: 'low-x' });
  expect(sideOf(1, 0, 0)).toBe('left');
  expect(sideOf(6, 0, 0)).toBe('right');
});

test('divides two lungs that touch in the middle of their width', () => {
  const joined = maskOf((x) => x >= 2);
  const sideOf = sidesOf(scanWith(usual), joined);
  expect([2, 4, 5, 7].map((x) => sideOf(x, 0, 0))).toEqual(['right', 'right', 'left', 'left']);
});

test('burden is lesion over lung, whole and by side, and counts only what lies in the lung', () => {
  const lesion = maskOf((x, y) => x === 1 || (x === 5 && y === 0) || x === 3);
  const sideOf = sidesOf(scanWith(usual), lung);
  // Right: 4 of 8. Left: 2 of 12. The column x = 3 lies outside.
  expect(burden({ lesion, lung }, sideOf)).toEqual({ whole: 6 / 20, left: 2 / 12, right: 4 / 8 });
});

test('burden by side is unknown where sides are, and unknown altogether without a lung', () => {
  const lesion = maskOf((x) => x === 1);
  expect(burden({ lesion, lung })).toEqual({ whole: 4 / 20, left: null, right: null });
  expect(burden({ lesion, lung: maskOf(() => false) }).whole).toBeNull();
});

test('refuses masks of another size', () => {
  const small: Mask = { voxels: new Uint8Array(4), size: [4, 1, 1] };
  expect(() => lesionsOf(small, scanWith(null))).toThrow(RangeError);
  expect(() => burden({ lesion: small, lung })).toThrow(RangeError);
});
