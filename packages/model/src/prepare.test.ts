import type { Patient, Scan } from '@consilium/imaging';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { orientationOf, turn } from './orientation.ts';
import { preparePatient, prepareScan } from './prepare.ts';
import { parseTask, smallTask } from './task.ts';

const task = parseTask({
  ...smallTask,
  network: { ...smallTask.network, size: 16, cropSize: 16 },
});

function scanOf(
  value: (x: number, y: number, z: number) => number,
  more: Partial<Scan> = {},
): Scan {
  const [width, height, depth] = [32, 32, 3];
  const voxels = new Float32Array(width * height * depth);
  for (let i = 0; i < voxels.length; i++) {
    voxels[i] = value(i % width, Math.floor(i / width) % height, Math.floor(i / width / height));
  }
  return {
    voxels,
    size: [width, height, depth],
    spacingMm: null,
    affine: null,
    intensity: 'hounsfield',
    ...more,
  };
}
const ramp = (x: number, y: number): number => -1000 + 20 * x + 7 * y;

describe('preparation', () => {
  test('does not depend on the scanner’s gain and offset while nothing leaves the window', () => {
    const one = prepareScan(scanOf(ramp), task).image;
    const other = prepareScan(
      scanOf((x, y) => ramp(x, y) * 0.7 - 60),
      task,
    ).image;
    for (const [i, value] of one.entries()) {
      expect(other[i]).toBeCloseTo(value, 3);
    }
  });

  test('lays the scan’s own percentiles to -1.06 and 1.97', () => {
    const { image } = prepareScan(scanOf(ramp), task);
    const sorted = image.slice().sort();
    expect(sorted[Math.round(0.05 * (image.length - 1))]).toBeCloseTo(-0.35 / 0.33, 4);
    expect(sorted[Math.round(0.95 * (image.length - 1))]).toBeCloseTo(0.65 / 0.33, 4);
  });

  test('padding far below air is air', () => {
    const corner = (x: number, y: number): boolean => x < 4 && y < 4;
    const padded = prepareScan(
      scanOf((x, y) => (corner(x, y) ? -3024 : ramp(x, y))),
      task,
    ).image;
    const air = prepareScan(
      scanOf((x, y) => (corner(x, y) ? (task.input.windowHu[0] as number) : ramp(x, y))),
      task,
    ).image;
    expect(padded).toEqual(air);
  });

  test('a scan without contrast becomes zero', () => {
    expect(
      prepareScan(
        scanOf(() => 40),
        task,
      ).image.every((value) => value === 0),
    ).toBe(true);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('a scan with %s is refused', (bad) => {
    const scan = scanOf((x, y, z) => (x === 3 && y === 3 && z === 1 ? bad : 0), {
      intensity: 'display',
    });
    expect(() => prepareScan(scan, task)).toThrow(
      expect.objectContaining({ code: 'SCAN_INVALID' }),
    );
  });

  test('a scan stored with the back row first is turned over, with its masks, where the affine says so', () => {
    const affine = (sign: number): number[] => [1, 0, 0, 0, 0, sign, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
    const inside = (y: number): number => (y < 8 ? 1 : 0);
    const patient = (flipped: boolean): Patient => {
      const row = (y: number): number => (flipped ? 31 - y : y);
      const scan = scanOf((x, y) => ramp(x, row(y)), { affine: affine(flipped ? -1 : 1) });
      const mask = {
        voxels: Uint8Array.from(scan.voxels, (_, i) => inside(row(Math.floor(i / 32) % 32))),
        size: scan.size,
      };
      return { id: 'p', scan, lung: mask, lesion: mask };
    };
    const [stored, turned] = [patient(false), patient(true)].map((each) =>
      preparePatient(each, task),
    );
    expect(turned?.image).toEqual(stored?.image);
    expect(turned?.lesion).toEqual(stored?.lesion);
  });

  test('a patient without a mask cannot be trained on', () => {
    const scan = scanOf(ramp);
    const lung = { voxels: new Uint8Array(scan.voxels.length), size: scan.size };
    expect(() => preparePatient({ id: 'p', scan, lung, lesion: null }, task)).toThrow(
      expect.objectContaining({ code: 'MASK_MISSING' }),
    );
  });

  test('keeps the share of a cell that a mask covers, and knows the slices with lesion', () => {
    const scan = scanOf(ramp);
    const voxels = new Uint8Array(scan.voxels.length);
    voxels[32 * 32 * 2 + 5 * 32 + 4] = 1; // one pixel of slice 2: a quarter of a cell
    const mask = { voxels, size: scan.size };
    const prepared = preparePatient({ id: 'p', scan, lung: mask, lesion: mask }, task);
    expect(prepared.lesionSlices).toEqual([2]);
    expect(Math.max(...prepared.lesion)).toBe(64);
    expect(prepared.lesion.filter((value) => value > 0)).toHaveLength(1);
  });
});

describe('turning', () => {
  test('twice gives the plane back', () => {
    const sides = fc.integer({ min: 1, max: 7 });
    fc.assert(
      fc.property(sides, sides, fc.boolean(), fc.boolean(), (w, h, mirrorX, mirrorY) => {
        const plane = Float32Array.from({ length: w * h }, (_, i) => i);
        const twice = plane.slice();
        turn(twice, w, h, { mirrorX, mirrorY });
        turn(twice, w, h, { mirrorX, mirrorY });
        expect(twice).toEqual(plane);
      }),
      { seed: 2 },
    );
  });

  test('nothing is guessed for sagittal planes or without an affine', () => {
    const none = { mirrorX: false, mirrorY: false };
    expect(orientationOf({ affine: null })).toEqual(none);
    expect(orientationOf({ affine: [0, 0, -1, 0, -1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 1] })).toEqual(
      none,
    );
  });
});
