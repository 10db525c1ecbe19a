import {
  decodePayload,
  encodePayload,
  type GridBits,
  type Layout,
  quantize,
} from '@consilium/weights';
import { describe, expect, test } from 'vitest';
import { shortfalls, siteShortfall } from './noise-floor.ts';
import { innerProduct, isShared, searchPairs } from './noise-reuse.ts';
import { type NoiseTerms, updateStdDev } from './noise-terms.ts';
import { largestNorm, largestSignal } from './norm-band.ts';
import { normals } from './normals-fixture.ts';
import { seeded, studyLayout } from './study-manifest-fixture.ts';
import { condense, type UpdateNoise } from './update-noise.ts';

const steps = 5;
const patients = 24;

function termsOf(coordinates: number): { terms: NoiseTerms; layout: Layout } {
  const layout = studyLayout({ seed: '', patients: [], rounds: 1, coordinates });
  const trained = layout.tensors.slice(1);
  const terms = {
    learningRate: 0.05,
    sampleRate: 0.25,
    clipNorm: 0.75,
    sumStdDev: 1.25 * 0.75,
    trained,
    coordinates,
  };
  return { terms, layout };
}

/** An update of `share` of the claimed noise, with `signal` added to each trained value, as a payload carries it. */
function updateOf(
  coordinates: number,
  seed: string,
  { share = 1, signal = 0, bits = 16 as GridBits, round = 1, site = 'a' } = {},
): { noise: UpdateNoise; values: Float64Array } {
  const { terms, layout } = termsOf(coordinates);
  const stdDev = share * updateStdDev(terms, steps, patients);
  const next = normals(seed);
  const vector = Float32Array.from({ length: layout.length }, (_, i) =>
    i < 3 ? 0 : signal + stdDev * next(),
  );
  const init = { bits, gridExponent: -24, random: seeded(`rounding ${seed}`) };
  const { update } = quantize(layout, vector, init);
  const sent = decodePayload(layout, encodePayload(update));
  const accepted = { site, author: site, round, index: round, payload: seed, weight: 1 };
  const noise = {
    update: { ...accepted, base: '', payloadBytes: 1 },
    steps,
    mostPatients: patients,
    leastPatients: patients,
    ...condense(terms, sent),
  };
  return { noise, values: Float64Array.from(vector) };
}

const { terms } = termsOf(10_000);

describe('the noise of one update', () => {
  test('is enough when it is as claimed, also beside a signal and after a coarse rounding', () => {
    for (const bits of [8, 16, 32] as const) {
      for (const signal of [0, 0.001]) {
        for (let i = 0; i < 20; i++) {
          const { noise } = updateOf(10_000, `honest ${bits} ${signal} ${i}`, { signal, bits });
          expect(shortfalls(terms, noise, 0)).toEqual([]);
        }
      }
    }
  });

  test('is found to be 95 % of the claimed deviation, from 10,000 values on', () => {
    const found = Array.from({ length: 50 }, (_, i) => {
      const { noise } = updateOf(12_000, `less ${i}`, { share: 0.95 });
      return shortfalls(termsOf(12_000).terms, noise, 0).some(({ tensor }) => tensor === null);
    });
    // Expected of 12,000 values: 99.9 % of them.
    expect(found.filter((each) => each).length).toBeGreaterThanOrEqual(48);
  });

  test('is found missing in one tensor while another one has more than enough', () => {
    const { noise } = updateOf(10_000, 'one tensor', { share: 0.01 });
    const [kernel = 0, bias = 0] = noise.tensorSquares;
    const floor = updateStdDev(terms, steps, patients) ** 2;
    const lopsided = { ...noise, tensorSquares: [kernel, bias + 20_000 * floor] };
    const squares = kernel + bias + 20_000 * floor;
    const found = shortfalls(terms, { ...lopsided, squares }, 0);
    expect(found.map(({ tensor }) => tensor)).toEqual(['kernel']);
    expect(found[0]?.share).toBeLessThan(0.001);
  });

  test('is not held against a site when float32 can have taken it', () => {
    const { noise } = updateOf(10_000, 'float', { share: 0.9 });
    const stdDev = updateStdDev(terms, steps, patients);
    expect(shortfalls(terms, noise, 0)).not.toEqual([]);
    expect(shortfalls(terms, noise, 0.2 * stdDev)).toEqual([]);
  });

  test('is that of the larger cohort where a site has declared two', () => {
    const { noise } = updateOf(10_000, 'cohorts', { share: 0.5 });
    expect(shortfalls(terms, noise, 0)).not.toEqual([]);
    expect(shortfalls(terms, { ...noise, mostPatients: 2.5 * patients }, 0)).toEqual([]);
  });
});

describe('the noise of a site', () => {
  test('is found to be 97 % of the claimed deviation over twenty updates, none of which shows it', () => {
    const updates = Array.from({ length: 20 }, (_, i) =>
      updateOf(3_000, `site ${i}`, { share: 0.97 }),
    ).map(({ noise }) => noise);
    const small = termsOf(3_000).terms;
    expect(updates.flatMap((noise) => shortfalls(small, noise, 0))).toEqual([]);
    expect(siteShortfall(small, updates, 0)).toMatchObject({ coordinates: 60_000, tensor: null });
  });

  test('is enough when it is as claimed', () => {
    const updates = Array.from({ length: 20 }, (_, i) => updateOf(3_000, `sound ${i}`).noise);
    expect(siteShortfall(termsOf(3_000).terms, updates, 0)).toBeNull();
  });
});

describe('the norm of an update', () => {
  const rounding = { coarsestStep: 0, floatError: 0 };

  test('is within its band, and outside when gradients were not clipped', () => {
    const { noise } = updateOf(10_000, 'norm');
    const norm = Math.sqrt(noise.squares);
    const most = largestNorm(terms, noise, rounding);
    expect(norm).toBeLessThan(most);
    expect(most).toBeLessThan(3 * norm);
    const { noise: large } = updateOf(10_000, 'large', { signal: 0.1 });
    expect(Math.sqrt(large.squares)).toBeGreaterThan(largestNorm(terms, large, rounding));
  });

  test('allows as many patients as are drawn at most, and never more than there are', () => {
    const { noise } = updateOf(1_000, 'drawn');
    const perPatient = (0.05 * 0.75) / (0.25 * patients);
    const all = 2 * patients * steps;
    expect(largestSignal(terms, noise) / perPatient).toBeGreaterThan(0.25 * all);
    expect(largestSignal(terms, noise) / perPatient).toBeLessThan(all);
    const everybody = { ...terms, sampleRate: 1 };
    expect(largestSignal(everybody, noise) / (perPatient / 4)).toBeCloseTo(all, 6);
  });
});

describe('noise that two updates share', () => {
  const rounds = [1, 2, 3];
  const own = rounds.map((round) => updateOf(10_000, `own ${round}`, { round }));

  test('is not found in independent noise, and found when it is the same', () => {
    const honest = searchPairs(
      terms,
      own.map(({ noise }) => noise),
      0,
    );
    expect(honest).toEqual({ suspects: [], compared: 3, tooWeak: 0 });
    const [first] = own;
    const copy = updateOf(10_000, 'own 1', { round: 4, signal: 0.0003 });
    const { suspects } = searchPairs(
      terms,
      [...own, copy].map(({ noise }) => noise),
      0,
    );
    expect(suspects.map(({ one, other }) => [one.update.round, other.update.round])).toEqual([
      [1, 4],
    ]);
    const [suspect] = suspects;
    if (suspect === undefined || first === undefined) throw new RangeError('there is one');
    expect(isShared(suspect, innerProduct(terms, first.values, copy.values))).toBe(true);
    expect(
      isShared(suspect, innerProduct(terms, first.values, own[1]?.values ?? copy.values)),
    ).toBe(false);
  });

  test('is looked for within a site and within a round', () => {
    const others = [
      updateOf(10_000, 'own 1', { round: 1, site: 'b' }),
      updateOf(10_000, 'own 2', { round: 9, site: 'c' }),
    ];
    const { suspects } = searchPairs(
      terms,
      [...own, ...others].map(({ noise }) => noise),
      0,
    );
    expect(suspects.map(({ other }) => other.update.site)).toEqual(['b']);
  });

  test('cannot be told from like gradients where these may be as large', () => {
    const few = termsOf(2_000).terms;
    const same = rounds.map((round) => updateOf(2_000, 'same', { round }).noise);
    expect(searchPairs(few, same, 0)).toEqual({ suspects: [], compared: 0, tooWeak: 3 });
  });
});
