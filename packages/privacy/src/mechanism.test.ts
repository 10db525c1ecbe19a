import type { RandomBytes } from '@consilium/weights';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createClipGrid } from './grid-clip.ts';
import {
  createMechanism,
  drawPatients,
  type MechanismSpec,
  type MechanismStep,
  noiseSigma,
  oneByOne,
  sumClipped,
} from './mechanism.ts';
import { seeded, wordsThen } from './random-fixture.ts';
import { createUniform } from './uniform.ts';

const spec: MechanismSpec = {
  sampleRate: 0.37,
  noiseMultiplier: 3,
  clipNorm: 2,
  gridExponent: -18,
  expectedBatch: 5.5,
};

/** A cohort whose gradients are at hand. */
function cohort(gradients: readonly Float32Array[], dimension: number): MechanismStep {
  return {
    patients: gradients.length,
    dimension,
    gradientsOf: oneByOne(async (patient) => gradients[patient] ?? new Float32Array(0)),
  };
}

function eachOf(...gradients: Float32Array[]): MechanismStep['gradientsOf'] {
  return async function* () {
    yield* gradients;
  };
}

function everybody(patients: number): number[] {
  return Array.from({ length: patients }, (_, patient) => patient);
}

/** The mean over a patient's slices, as a training loop computes it. */
function meanOf(slices: readonly (readonly number[])[]): Float32Array {
  return Float32Array.from({ length: 3 }, (_, i) => {
    return slices.reduce((sum, slice) => sum + (slice[i] ?? 0), 0) / slices.length;
  });
}

const slices = fc
  .tuple(
    fc.array(fc.tuple(fc.float(), fc.float(), fc.float()), { minLength: 1, maxLength: 6 }),
    fc.constantFrom(1, 84),
  )
  // A patient of up to 504 slices.
  .map(([few, times]) => Array.from({ length: times }, () => few).flat());
const patients = fc.oneof(
  fc.tuple(fc.float(), fc.float(), fc.float()).map((values) => Float32Array.from(values)),
  slices.map(meanOf),
  fc
    .constantFrom(
      [0, 0, 0],
      [1e38, -3e38, 3e38],
      [1e-45, 0, -1e-40],
      [Number.NaN, 1, 1],
      [0, Infinity, 0],
    )
    .map((values) => Float32Array.from(values)),
);

test('one patient more moves the sum by at most C, in whole numbers, whoever it is', async () => {
  const clipNorms = fc.double({ min: 2 ** -10, max: 2 ** 6, noNaN: true });
  await fc.assert(
    fc.asyncProperty(
      fc.array(patients, { maxLength: 8 }),
      patients,
      clipNorms,
      async (others, one, clipNorm) => {
        const grid = createClipGrid(clipNorm, -20);
        const without = await sumClipped(cohort(others, 3), everybody(others.length), grid);
        const all = [one, ...others];
        const { sum } = await sumClipped(cohort(all, 3), everybody(all.length), grid);
        const squares = sum.reduce(
          (total, x, i) => total + (BigInt(x) - BigInt(without.sum[i] ?? 0)) ** 2n,
          0n,
        );
        // From 2^10 on a float64 is a whole number of 2^-42.
        expect(squares << 84n).toBeLessThanOrEqual(BigInt(clipNorm * 2 ** 62) ** 2n);
      },
    ),
    { numRuns: 500 },
  );
});

test('a patient with NaN counts as one who is not there', async () => {
  const grid = createClipGrid(2, -18);
  const [a, b] = [Float32Array.of(1, -7, 0.25), Float32Array.of(-3, 2, 0.125)];
  const broken = cohort([a, Float32Array.of(0, Number.NaN, 1), b], 3);
  const { sum, zeros } = await sumClipped(broken, [0, 1, 2], grid);
  expect(sum).toEqual((await sumClipped(cohort([a, b], 3), [0, 1], grid)).sum);
  expect(zeros).toBe(1);
});

test('the sum is the same in any order of the patients', async () => {
  const grid = createClipGrid(0.7, -20);
  const gradients = Array.from({ length: 9 }, (_, k) =>
    Float32Array.from({ length: 5 }, (_, i) => Math.sin(5 * k + i) * 10 ** (i - k)),
  );
  const { sum } = await sumClipped(cohort(gradients, 5), everybody(9), grid);
  expect((await sumClipped(cohort(gradients, 5), everybody(9).reverse(), grid)).sum).toEqual(sum);
});

test('draws a patient whose 53 bits are below ⌊2^53 q⌋, and no other', () => {
  const threshold = Math.floor(0.3 * 2 ** 53);
  expect(threshold).toBeLessThanOrEqual(0.3 * 2 ** 53);
  const bits = [threshold - 1, threshold, 0, 2 ** 53 - 1];
  const words = bits.flatMap((k) => [k % 2 ** 32, Math.floor(k / 2 ** 32) * 2 ** 11]);
  const uniform = createUniform(wordsThen(words, seeded('unused')));
  expect(drawPatients(uniform, 4, 0.3)).toEqual([0, 2]);
});

test('draws everybody for q = 1', () => {
  const uniform = createUniform((count) => new Uint8Array(count).fill(0xff));
  expect(drawPatients(uniform, 7, 1)).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test('draws each patient with probability q, and no patient with another', () => {
  const uniform = createUniform(seeded('draws'));
  const [steps, q] = [4000, 0.37];
  const drawn = new Float64Array(20);
  const both = new Float64Array(20);
  for (let step = 0; step < steps; step++) {
    const batch = new Set(drawPatients(uniform, 20, q));
    for (let patient = 0; patient < 20; patient++) {
      if (!batch.has(patient)) continue;
      drawn[patient] = (drawn[patient] ?? 0) + 1;
      if (batch.has((patient + 1) % 20)) both[patient] = (both[patient] ?? 0) + 1;
    }
  }
  // Twenty binomials each within 3.7 deviations: 0.4 % to fail by chance, for one seed.
  const deviation = (p: number) => Math.sqrt(steps * p * (1 - p));
  for (const count of drawn) expect(Math.abs(count - steps * q)).toBeLessThan(3.7 * deviation(q));
  for (const count of both) {
    expect(Math.abs(count - steps * q ** 2)).toBeLessThan(3.7 * deviation(q ** 2));
  }
});

test('adds noise of deviation σC to each coordinate, even where nothing is summed', async () => {
  const mechanism = createMechanism({ random: seeded('zero signal') }, spec);
  const zeros = cohort([new Float32Array(1e5)], 1e5);
  const released = await mechanism.step(zeros);
  const variance = released.reduce((sum, x) => sum + (x * 5.5) ** 2, 0) / 1e5;
  // 3 · 2: a variance taken for a deviation, or a deviation that is not scaled by C, is far off.
  expect(Math.abs(variance / 36 - 1)).toBeLessThan(0.015);
});

test('releases noise when nobody is drawn, and asks for no gradient', async () => {
  const mechanism = createMechanism({ random: seeded('empty') }, { ...spec, sampleRate: 2 ** -53 });
  const released = await mechanism.step({
    patients: 30,
    dimension: 40,
    gradientsOf: oneByOne(() => Promise.reject(new Error('somebody was drawn'))),
  });
  expect(new Set(released).size).toBeGreaterThan(35);
  expect(mechanism.history).toEqual([{ sampleRate: 2 ** -53, noiseMultiplier: 3, steps: 1 }]);
});

test.each([
  [4, 7],
  [11, 7],
  [11, 2.5],
])('divides the sum of %i patients by the public %d', async (count, expectedBatch) => {
  const everyone = { ...spec, sampleRate: 1, noiseMultiplier: 2 ** -9, expectedBatch };
  const mechanism = createMechanism({ random: seeded('divisor') }, everyone);
  const gradients = Array.from({ length: count }, () => Float32Array.of(0, -500));
  const [none = Number.NaN, sum = Number.NaN] = await mechanism.step(cohort(gradients, 2));
  // Eight deviations of the noise.
  expect(Math.abs(none)).toBeLessThan((8 * 2 ** -8) / expectedBatch);
  expect(Math.abs(sum + (2 * count) / expectedBatch)).toBeLessThan((8 * 2 ** -8) / expectedBatch);
});

test('releases whole grid steps over the expected batch, each as the nearest float32', async () => {
  const mechanism = createMechanism(
    { random: seeded('grid') },
    { ...spec, sampleRate: 1, expectedBatch: 3 },
  );
  const released = await mechanism.step(
    cohort([Float32Array.from({ length: 500 }, Math.sin)], 500),
  );
  for (const value of released) {
    const integer = Math.round((value * 3) / 2 ** -18);
    expect(Math.fround((integer * 2 ** -18) / 3)).toBe(value);
  }
});

test('counts a step from its beginning, one event for all of them', async () => {
  const mechanism = createMechanism({ random: seeded('history') }, { ...spec, sampleRate: 1 });
  expect(mechanism.history).toEqual([]);
  let during: unknown;
  const step: MechanismStep = {
    patients: 2,
    dimension: 3,
    gradientsOf: oneByOne(async () => {
      during = mechanism.history;
      return new Float32Array(3);
    }),
  };
  await mechanism.step(step);
  expect(during).toEqual([{ sampleRate: 1, noiseMultiplier: 3, steps: 1 }]);
  await mechanism.step(step);
  expect(mechanism.history).toEqual([{ sampleRate: 1, noiseMultiplier: 3, steps: 2 }]);
  expect(mechanism.withoutContribution).toBe(4);
});

test.each<[string, Partial<MechanismStep>, AbortSignal | undefined, unknown]>([
  [
    'a patient cannot be read',
    { gradientsOf: oneByOne(() => Promise.reject(new Error('disk'))) },
    undefined,
    new Error('disk'),
  ],
  ['a gradient has another length', { dimension: 4 }, undefined, expect.any(RangeError)],
  [
    'a patient is left out',
    { gradientsOf: eachOf(new Float32Array(3)) },
    undefined,
    expect.any(RangeError),
  ],
  [
    'a patient comes twice',
    { gradientsOf: eachOf(new Float32Array(3), new Float32Array(3), new Float32Array(3)) },
    undefined,
    expect.any(RangeError),
  ],
  ['it is aborted', {}, AbortSignal.abort(new Error('enough')), new Error('enough')],
])('fails when %s, and counts all the same', async (_, change, signal, error) => {
  const mechanism = createMechanism({ random: seeded('failure') }, { ...spec, sampleRate: 1 });
  const step = { ...cohort([new Float32Array(3), new Float32Array(3)], 3), ...change };
  await expect(mechanism.step(step, signal && { signal })).rejects.toEqual(error);
  expect(mechanism.history).toEqual([{ sampleRate: 1, noiseMultiplier: 3, steps: 1 }]);
});

test('heeds an abort even when nobody is drawn', async () => {
  const mechanism = createMechanism(
    { random: seeded('nobody') },
    { ...spec, sampleRate: 2 ** -53 },
  );
  const signal = AbortSignal.abort(new Error('enough'));
  const step = cohort([new Float32Array(3)], 3);
  await expect(mechanism.step(step, { signal })).rejects.toThrow('enough');
});

test.each([
  ['no patients', { patients: 0 }],
  ['half a patient', { patients: 2.5 }],
  ['more patients than sums hold exactly', { patients: 2 ** 24 + 1 }],
  ['no dimension', { dimension: 0 }],
  ['a dimension that is no whole number', { dimension: 2.5 }],
])('refuses a step with %s before it counts', async (_, change) => {
  const mechanism = createMechanism({ random: seeded('refused') }, spec);
  const step = { ...cohort([new Float32Array(3)], 3), ...change };
  await expect(mechanism.step(step)).rejects.toThrow(RangeError);
  expect(mechanism.history).toEqual([]);
});

test.each<Partial<MechanismSpec>>([
  { sampleRate: 0 },
  { sampleRate: 2 ** -54 },
  { sampleRate: 1.0001 },
  { sampleRate: Number.NaN },
  { noiseMultiplier: 0 },
  { noiseMultiplier: -3 },
  { noiseMultiplier: Number.NaN },
  { noiseMultiplier: Infinity },
  { noiseMultiplier: 2 ** -12 },
  { noiseMultiplier: 2 ** 22 },
  { clipNorm: 0 },
  { clipNorm: 2 ** 9 },
  { gridExponent: -8 },
  { gridExponent: -18.5 },
  { expectedBatch: 0 },
  { expectedBatch: 0.3 },
  { expectedBatch: Infinity },
  { expectedBatch: Number.NaN },
])('refuses a spec with %j', (change) => {
  const random: RandomBytes = seeded('unused');
  expect(() => createMechanism({ random }, spec)).not.toThrow();
  expect(() => createMechanism({ random }, { ...spec, ...change })).toThrow(RangeError);
});

test('takes the spec as it was, whatever becomes of it', async () => {
  const mutable = { ...spec };
  const mechanism = createMechanism({ random: seeded('copy') }, mutable);
  mutable.noiseMultiplier = 30;
  mutable.expectedBatch = 1e-9;
  expect(mechanism.spec).toEqual(spec);
  const released = await mechanism.step(cohort([new Float32Array(3)], 3));
  expect(Math.max(...released.map(Math.abs))).toBeLessThan(10);
  expect(mechanism.history).toEqual([{ sampleRate: 0.37, noiseMultiplier: 3, steps: 1 }]);
});

test('the noise is never below √((σC)² + 4) grid steps, and hardly above', () => {
  const noiseMultipliers = fc.double({ min: 0.25, max: 1000, noNaN: true });
  const clipNorms = fc.double({ min: 1, max: 2 ** 8, noNaN: true });
  fc.assert(
    fc.property(noiseMultipliers, clipNorms, (noiseMultiplier, clipNorm) => {
      const sigma = noiseSigma({ ...spec, noiseMultiplier, clipNorm });
      // As whole numbers of 2^-56, 2^-56 and 2^-112, which these float64 are.
      const least =
        (fixed(noiseMultiplier, 56) * fixed(clipNorm, 56) * 2n ** 18n) ** 2n + (4n << 224n);
      expect(fixed(sigma, 112) ** 2n).toBeGreaterThanOrEqual(least);
      expect(fixed(sigma, 112) ** 2n).toBeLessThan(least + (least >> 47n));
    }),
  );
});

test('the noise is a continuous Gaussian of variance σ² − 4 that was rounded at random', () => {
  const sigma = 9;
  const continuous = Math.sqrt(sigma ** 2 - 4);
  const weight = (z: number) => Math.exp(-(z * z) / 2);
  const integers = Array.from({ length: 401 }, (_, i) => i - 200);
  const normalizer = integers.reduce((sum, n) => sum + weight(n / sigma), 0);
  for (const y of [0, 1, 5, 13, 40]) {
    // The trapezoid rule is exact to rounding for such smooth functions.
    let probability = 0;
    for (let x = -120; x <= 120; x += 1 / 16) {
      const near = integers.filter((n) => Math.abs(n - x) < 40);
      const chosen = weight((y - x) / 2) / near.reduce((sum, n) => sum + weight((n - x) / 2), 0);
      const density = weight(x / continuous) / (continuous * Math.sqrt(2 * Math.PI));
      probability += (density * chosen) / 16;
    }
    expect(probability / (weight(y / sigma) / normalizer)).toBeCloseTo(1, 13);
  }
});

test('the package does not give away sums without noise', async () => {
  const index = await import('./index.ts');
  expect(Object.keys(index)).toContain('createMechanism');
  expect(Object.keys(index)).not.toContain('sumClipped');
});

function fixed(value: number, bits: number): bigint {
  return BigInt(value * 2 ** bits);
}
