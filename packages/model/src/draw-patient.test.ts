import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sampleOf } from './draw-batch.ts';
import { drawPatientSlices, patientKey } from './draw-patient.ts';
import type { PreparedPatient } from './prepare.ts';
import { seeded } from './seeded.ts';
import { type LesionTask, smallTask } from './task.ts';

const size = 16;
const plane = size * size;
const still = Object.fromEntries(
  Object.keys(smallTask.training.augmentation).map((name) => [name, 0]),
) as unknown as LesionTask['training']['augmentation'];
const task: LesionTask = {
  ...smallTask,
  network: { size, cropSize: size, slices: 1, channels: [4, 8], groupChannels: 4 },
  training: { ...smallTask.training, lesionShare: 0.5, augmentation: still },
};

/** Every pixel of slice z is about z, so that a sample shows which slice it came from. */
function patientOf(
  depth: number,
  lesionSlices: readonly number[],
  lungShare = 0.5,
): PreparedPatient {
  const lung = Uint8Array.from({ length: depth * plane }, (_, i) =>
    i % plane < lungShare * plane ? 255 : 0,
  );
  return {
    size,
    depth,
    image: Float32Array.from({ length: depth * plane }, (_, i) => Math.floor(i / plane) / 100),
    lung,
    lesion: lung.map((value, i) => (lesionSlices.includes(Math.floor(i / plane)) ? value : 0)),
    lesionSlices,
  };
}

function slicesIn(patient: PreparedPatient, count: number, seed: number): number[] {
  const { image } = drawPatientSlices(patient, task, count, seeded(seed), 3);
  return Array.from({ length: count }, (_, i) => Math.round(100 * (image[i * plane] as number)));
}

describe('the slices of a patient', () => {
  test('are of that patient, and none comes twice unless there are too few', () => {
    const cases = fc.record({
      depth: fc.integer({ min: 1, max: 30 }),
      count: fc.integer({ min: 1, max: 8 }),
      lesion: fc.uniqueArray(fc.nat({ max: 29 })),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(cases, ({ depth, count, lesion, seed }) => {
        const patient = patientOf(
          depth,
          lesion.filter((z) => z < depth).sort((a, b) => a - b),
        );
        const drawn = slicesIn(patient, count, seed);
        expect(drawn.every((z) => z >= 0 && z < depth)).toBe(true);
        if (depth >= count) {
          expect(new Set(drawn).size).toBe(count);
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  test('of a patient with five hundred fill as many samples as of one with a single slice', () => {
    const [large, small] = [patientOf(500, [7]), patientOf(1, [])].map((patient) =>
      drawPatientSlices(patient, task, 4, seeded(1), 3),
    );
    expect(large?.image).toHaveLength(4 * plane);
    expect(small?.image).toHaveLength(4 * plane);
    expect(slicesIn(patientOf(1, []), 4, 1)).toEqual([0, 0, 0, 0]);
  });

  test('hold lesion with the probability lesionShare beside chance, all of them where all have it', () => {
    // Two of twenty slices with lesion, one drawn: ½ + ½ · 2/20.
    let withLesion = 0;
    for (let seed = 0; seed < 800; seed++) {
      const [z] = slicesIn(patientOf(20, [4, 11]), 1, seed);
      withLesion += z === 4 || z === 11 ? 1 : 0;
    }
    expect(withLesion / 800).toBeGreaterThan(0.5);
    expect(withLesion / 800).toBeLessThan(0.6);
    expect(new Set(slicesIn(patientOf(4, [0, 1, 2, 3]), 4, 5)).size).toBe(4);
  });

  test('are the same for the same key and others for another; augmentation is drawn for each slice', () => {
    const patient = patientOf(9, [1, 2]);
    const lively = {
      ...task,
      training: { ...task.training, augmentation: smallTask.training.augmentation },
    };
    const draw = (seed: number) => drawPatientSlices(patient, lively, 3, seeded(seed), 3);
    expect(draw(8)).toEqual(draw(8));
    expect(draw(9).image).not.toEqual(draw(8).image);
  });
});

describe('the weights of a slice', () => {
  const inside = (share: number): { pixel: number; pixels: number } => {
    const batch = drawPatientSlices(patientOf(3, [], share), task, 3, seeded(1), 0);
    const sample = sampleOf(batch, task.network, 1);
    return {
      pixel: Math.max(...sample.lesionWeight),
      pixels: sample.lungTruth.filter((value) => value > 0.5).length,
    };
  };

  test('are its own: one slice’s lung does not change another’s weights', () => {
    const mixed = patientOf(2, []);
    mixed.lung.fill(255, 0, plane);
    const batch = drawPatientSlices(mixed, task, 2, seeded(1), 0);
    const largest = [0, 1].map((i) => Math.max(...sampleOf(batch, task.network, i).lesionWeight));
    expect(largest.sort((a, b) => a - b)).toEqual(
      [plane / (plane + 1), plane / (plane / 2 + 1)].map(Math.fround),
    );
  });

  test('make the cross-entropy a mean over its lung, and stay bounded where there is next to none', () => {
    const half = inside(0.5);
    expect(half.pixels).toBe(plane / 2);
    expect(half.pixel).toBeCloseTo(plane / (plane / 2 + 1), 5);
    const tip = inside(3 / plane);
    expect(tip.pixels).toBe(3);
    expect(tip.pixel).toBeCloseTo(plane / (plane / 16 + 1), 5);
  });

  test('are finite for a patient without lung or lesion', () => {
    const batch = drawPatientSlices(patientOf(2, [], 0), task, 4, seeded(1), 2000);
    for (const values of Object.values(batch)) {
      expect(values.every(Number.isFinite)).toBe(true);
    }
    const bounded = (task.training.outsideWeight * plane) / (plane / 16 + 1);
    expect(Math.max(...batch.lesionWeight)).toBeCloseTo(bounded, 5);
  });
});

test('a patient’s key is the same for the same patient and another for any other', () => {
  const patient = patientOf(5, [1, 3]);
  expect(patientKey(structuredClone(patient))).toBe(patientKey(patient));
  const image = patient.image.slice();
  image[77] = 0.5;
  const keys = [patient, { ...patient, image }, patientOf(5, [1]), patientOf(5, [], 0.25)];
  expect(new Set(keys.map(patientKey)).size).toBe(4);
});
