import { createHash } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import type { Patient, Size } from '../scan.ts';
import type { Confounder } from './confounder.ts';
import { type Condition, generatePatient } from './patient.ts';
import { type ScannerName, type ScannerProfile, scannerProfiles } from './scanner.ts';

// Some tests make a dozen patients, and the machine may be busy.
vi.setConfig({ testTimeout: 60_000 });

const size: Size = [56, 56, 16];
const seeds = [1, 2, 3, 4, 5, 6];

/** A scanner that measures without error, so that what is left is the body. */
const ideal: ScannerProfile = {
  ...scannerProfiles['hospital-a'],
  name: 'ideal',
  blurMm: 0,
  edgeGain: 0,
  noiseHu: 0,
  biasHu: 0,
  paddingHu: null,
  table: 'none',
};

const made = new Map<string, Patient>();

/** A patient, made once for all tests that ask for it. */
function patient(seed: number, condition: Condition, profile: ScannerProfile = ideal): Patient {
  const key = JSON.stringify([seed, condition, profile]);
  const known = made.get(key);
  if (known !== undefined) return known;
  const fresh = generatePatient({ seed, profile, condition, size });
  made.set(key, fresh);
  return fresh;
}

const ill = (seed: number, day: number): Patient => patient(seed, { kind: 'covid', day });
const healthy = (seed: number, ...confounders: Confounder[]): Patient =>
  patient(seed, { kind: 'control', confounders });

function truth(p: Patient): { lung: Uint8Array; lesion: Uint8Array } {
  if (p.lung === null || p.lesion === null) throw new Error('a generated patient has both masks');
  return { lung: p.lung.voxels, lesion: p.lesion.voxels };
}

const count = (voxels: Uint8Array): number => voxels.reduce((a, b) => a + b, 0);
const within = (p: Patient, mask: Uint8Array): number[] =>
  [...p.scan.voxels].filter((_, i) => mask[i] === 1);
const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const share = (values: readonly number[], test: (v: number) => boolean): number =>
  values.filter(test).length / values.length;

function burdenOf(p: Patient): number {
  const { lung, lesion } = truth(p);
  return count(lesion) / count(lung);
}

test('a seed fixes every voxel, and another seed is another person', () => {
  const { scan, lung, lesion } = generatePatient({
    seed: 20,
    profile: 'hospital-b',
    condition: {
      kind: 'covid',
      day: 9,
      confounders: ['atelectasis', 'granuloma', 'effusion', 'emphysema'],
    },
    size: [48, 48, 10],
  });
  const hash = createHash('sha256').update(Int16Array.from(scan.voxels));
  if (lung !== null && lesion !== null) hash.update(lung.voxels).update(lesion.voxels);
  expect(hash.digest('hex')).toMatchInlineSnapshot(
    `"63d296c91d4e20bce0f4c205887a96f65c4d8b56071f0492eabb2b9c7b54f437"`,
  );
  expect(healthy(1).scan.voxels).not.toEqual(healthy(2).scan.voxels);
});

test.each(seeds)('person %i has a chest with the tissues a chest has', (seed) => {
  const p = healthy(seed);
  const { lung } = truth(p);
  const voxelMl = (p.scan.spacingMm ?? []).reduce((a, b) => a * b, 1) / 1000;
  expect(count(lung) * voxelMl).toBeGreaterThan(1800);
  expect(count(lung) * voxelMl).toBeLessThan(7500);

  const lungHu = within(p, lung);
  expect(median(lungHu)).toBeGreaterThan(-905);
  expect(median(lungHu)).toBeLessThan(-740);
  const vessels = share(lungHu, (v) => v > -400);
  expect(vessels).toBeGreaterThan(0.005);
  expect(vessels).toBeLessThan(0.15);

  const tissue = [...p.scan.voxels].filter((v, i) => lung[i] === 0 && v > -300);
  expect(share(tissue, (v) => v > -140 && v < -60)).toBeGreaterThan(0.06);
  expect(share(tissue, (v) => v > 15 && v < 85)).toBeGreaterThan(0.3);
  expect(share(tissue, (v) => v > 180)).toBeGreaterThan(0.02);
  expect(share(tissue, (v) => v > 180)).toBeLessThan(0.16);
  expect(Math.max(...tissue)).toBeGreaterThan(350);
  expect(Math.max(...tissue)).toBeLessThan(1000);
});

test.each(seeds)(
  'the disease of person %i lies in the lung, fills air and changes nothing else',
  (seed) => {
    const before = healthy(seed);
    const after = ill(seed, 9);
    const { lung, lesion } = truth(after);
    expect(truth(before).lung).toEqual(lung);
    expect(count(lesion)).toBeGreaterThan(0);
    let gained = 0;
    for (let i = 0; i < lung.length; i++) {
      const change = (after.scan.voxels[i] ?? 0) - (before.scan.voxels[i] ?? 0);
      if (change < 0) throw new Error(`voxel ${i} became darker by ${-change} HU`);
      if (lesion[i] === 1) {
        gained += change;
        if (lung[i] !== 1) throw new Error(`voxel ${i} is lesion outside the lung`);
      }
    }
    expect(gained / count(lesion)).toBeGreaterThan(120);
    expect(gained / count(lesion)).toBeLessThan(800);
  },
);

test('early disease is ground glass: denser than lung, far from as dense as tissue', () => {
  const values = seeds.flatMap((seed) => within(ill(seed, 1), truth(ill(seed, 1)).lesion));
  expect(median(values)).toBeGreaterThan(-720);
  expect(median(values)).toBeLessThan(-380);
});

test('no threshold finds the lesions: bright lung is often no lesion, and lesions are often not bright', () => {
  let best = 0;
  for (let threshold = -800; threshold <= 0; threshold += 50) {
    let both = 0;
    let either = 0;
    for (const seed of seeds) {
      const p = patient(seed, { kind: 'covid', day: 6, confounders: ['atelectasis', 'granuloma'] });
      const { lung, lesion } = truth(p);
      for (let i = 0; i < lung.length; i++) {
        const bright = lung[i] === 1 && (p.scan.voxels[i] ?? 0) > threshold ? 1 : 0;
        both += bright & (lesion[i] ?? 0);
        either += bright + (lesion[i] ?? 0);
      }
    }
    best = Math.max(best, (2 * both) / either);
  }
  expect(best).toBeGreaterThan(0.2);
  expect(best).toBeLessThan(0.75);
});

test('the illness grows to its peak and resolves', () => {
  const [early = 0, peak = 0, late = 0] = [1, 10, 30].map((day) =>
    mean(seeds.map((seed) => burdenOf(ill(seed, day)))),
  );
  expect(peak).toBeGreaterThan(3 * early);
  expect(peak).toBeGreaterThan(2 * late);
  const density = (day: number): number =>
    mean(seeds.flatMap((seed) => within(ill(seed, day), truth(ill(seed, day)).lesion)));
  expect(density(10)).toBeGreaterThan(density(1) + 60);
});

test('lesions prefer the back and the lower half of the lungs', () => {
  let back = 0;
  let lower = 0;
  let all = 0;
  for (const seed of seeds) {
    const { lung, lesion } = truth(ill(seed, 7));
    const row = (i: number): number => Math.floor(i / size[0]) % size[1];
    const slice = (i: number): number => Math.floor(i / (size[0] * size[1]));
    const inLung = [...lung.keys()].filter((i) => lung[i] === 1);
    const middleRow = median(inLung.map(row));
    const middleSlice = median(inLung.map(slice));
    for (const i of inLung) {
      if (lesion[i] === 0) continue;
      all++;
      if (row(i) > middleRow) back++;
      if (slice(i) <= middleSlice) lower++;
    }
  }
  expect(back / all).toBeGreaterThan(0.6);
  expect(lower / all).toBeGreaterThan(0.6);
});

const signs: [
  kind: Confounder,
  seen: (plain: Patient, found: Patient) => number,
  atLeast: number,
][] = [
  ['atelectasis', (plain, found) => denser(found) - denser(plain), 0.005],
  ['effusion', (plain, found) => count(truth(plain).lung) - count(truth(found).lung), 20],
  ['emphysema', (plain, found) => emptier(found) - emptier(plain), 0.01],
];

const denser = (p: Patient): number => share(within(p, truth(p).lung), (v) => v > -650);
const emptier = (p: Patient): number => share(within(p, truth(p).lung), (v) => v < -920);

test.each(signs)('%s shows, and is no lesion', (kind, seen, atLeast) => {
  for (const seed of seeds.slice(0, 4)) {
    const found = healthy(seed, kind);
    expect(seen(healthy(seed), found)).toBeGreaterThan(atLeast);
    expect(count(truth(found).lesion)).toBe(0);
  }
});

test('a granuloma shines, and is no lesion', () => {
  const brightened = seeds.map((seed) => {
    const plain = healthy(seed).scan.voxels;
    const found = healthy(seed, 'granuloma');
    expect(count(truth(found).lesion)).toBe(0);
    return found.scan.voxels.reduce((most, v, i) => Math.max(most, v - (plain[i] ?? 0)), 0);
  });
  // It is small against these voxels, and may fall between two slices.
  expect(brightened.filter((hu) => hu > 60).length).toBeGreaterThan(2);
});

test('rows and slices are stored in the order of the profile, and the affine says so', () => {
  const usual = ill(3, 9);
  const turned = patient(
    3,
    { kind: 'covid', day: 9 },
    { ...ideal, firstRow: 'back', firstSlice: 'head' },
  );
  const [w, h, d] = size;
  for (let i = 0; i < w * h * d; i += 7) {
    const [x, y, z] = [i % w, Math.floor(i / w) % h, Math.floor(i / (w * h))];
    const other = ((d - 1 - z) * h + (h - 1 - y)) * w + x;
    expect(turned.scan.voxels[other]).toBe(usual.scan.voxels[i]);
    expect(truth(turned).lesion[other]).toBe(truth(usual).lesion[i]);
    const there = positionOf(turned, [x, h - 1 - y, d - 1 - z]);
    for (const [axis, mm] of positionOf(usual, [x, y, z]).entries())
      expect(there[axis]).toBeCloseTo(mm, 6);
  }
});

function positionOf({ scan }: Patient, voxel: readonly number[]): number[] {
  return [0, 1, 2].map((row) =>
    [...voxel, 1].reduce((sum, v, column) => sum + v * (scan.affine?.[row * 4 + column] ?? 0), 0),
  );
}

test('positions are LPS: the heart lies more to the left, the spine behind, the head up', () => {
  const p = healthy(2);
  const { lung } = truth(p);
  const [w, h] = size;
  const at = (i: number): number[] =>
    positionOf(p, [i % w, Math.floor(i / w) % h, Math.floor(i / (w * h))]);
  const places = [...lung.keys()].filter((i) => lung[i] === 1).map(at);
  const left = places.filter(([x = 0]) => x > 0).length;
  // The heart takes its room from the left lung.
  expect(left / places.length).toBeLessThan(0.49);
  const bone = [...p.scan.voxels.keys()].filter((i) => (p.scan.voxels[i] ?? 0) > 250).map(at);
  expect(mean(bone.map(([, y = 0]) => y))).toBeGreaterThan(10);
});

test('gain and offset act on every voxel as documented', () => {
  const skewed = patient(
    4,
    { kind: 'control', confounders: [] },
    { ...ideal, gain: 0.95, offsetHu: 30 },
  );
  const plain = healthy(4).scan.voxels;
  for (let i = 0; i < plain.length; i++) {
    const expected = ((plain[i] ?? 0) + 1000) * 0.95 - 970;
    expect(Math.abs((skewed.scan.voxels[i] ?? 0) - expected)).toBeLessThan(1.01);
  }
});

test('noise has the strength and the correlation of the profile', () => {
  const noiseOf = (noiseCorrelationMm: number): { strength: number; lag: number } => {
    const noisy = patient(
      4,
      { kind: 'control', confounders: [] },
      { ...ideal, noiseHu: 30, noiseCorrelationMm },
    );
    const plain = healthy(4).scan.voxels;
    const residue = noisy.scan.voxels.map((v, i) => v - (plain[i] ?? 0));
    const values: number[] = [];
    let products = 0;
    for (let z = 4; z < 10; z++) {
      for (let y = 22; y < 34; y++) {
        for (let x = 22; x < 34; x++) {
          const i = (z * size[1] + y) * size[0] + x;
          values.push(residue[i] ?? 0);
          products += (residue[i] ?? 0) * (residue[i + 1] ?? 0);
        }
      }
    }
    const power = mean(values.map((v) => v * v));
    return { strength: Math.sqrt(power), lag: products / values.length / power };
  };
  const white = noiseOf(0);
  const correlated = noiseOf(9);
  expect(Math.abs(white.lag)).toBeLessThan(0.12);
  expect(correlated.lag).toBeGreaterThan(0.6);
  for (const { strength } of [white, correlated]) {
    expect(strength).toBeGreaterThan(24);
    expect(strength).toBeLessThan(44);
  }
});

test.each(Object.keys(scannerProfiles) as ScannerName[])(
  '%s keeps the truth and its own marks',
  (name) => {
    const profile = scannerProfiles[name];
    const p = patient(5, { kind: 'covid', day: 9 }, profile);
    const { lung, lesion } = truth(p);
    expect(count(lesion)).toBeGreaterThan(0);
    expect([...lesion.keys()].every((i) => lesion[i] === 0 || lung[i] === 1)).toBe(true);
    expect(
      p.scan.voxels.every(
        (v) => Number.isInteger(v) && (v === profile.paddingHu || (v >= -1024 && v <= 3071)),
      ),
    ).toBe(true);
    if (profile.paddingHu !== null) expect(p.scan.voxels[0]).toBe(profile.paddingHu);
    const sides = (p.scan.affine ?? []).filter((_, i) => i % 5 === 0);
    expect(sides.map(Math.sign)).toEqual([
      1,
      profile.firstRow === 'back' ? -1 : 1,
      profile.firstSlice === 'head' ? -1 : 1,
      1,
    ]);
  },
);

test('without a size, matrix and slice spacing are those of the profile', () => {
  const small = { ...ideal, matrix: 40, sliceSpacingMm: 25 };
  const { scan } = generatePatient({
    seed: 1,
    profile: small,
    condition: { kind: 'control', confounders: [] },
  });
  expect(scan.size.slice(0, 2)).toEqual([40, 40]);
  expect(scan.spacingMm?.[0]).toBe(10);
  expect(scan.spacingMm?.[2]).toBeGreaterThan(22);
  expect(scan.spacingMm?.[2]).toBeLessThan(28);
});

test.each([
  ['a negative day', { condition: { kind: 'covid', day: -1 } as const }],
  ['a size of zero', { size: [64, 64, 0] as const }],
  ['half a voxel', { size: [64.5, 64, 8] as const }],
  ['a seed that is no integer', { seed: 0.5 }],
  ['a profile nobody named', { profile: 'toString' as ScannerName }],
])('refuses %s', (_, wrong) => {
  const usual = { seed: 1, profile: ideal, condition: { kind: 'covid', day: 5 } as const, size };
  expect(() => generatePatient({ ...usual, ...wrong })).toThrow(RangeError);
});
