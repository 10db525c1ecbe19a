import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { Ratio } from './bernoulli-exp.ts';
import { createDiscreteGaussian } from './discrete-gaussian.ts';
import { expDigits } from './exp-digits-fixture.ts';
import { seeded, wordsThen } from './random-fixture.ts';
import { createUniform, type UniformSource } from './uniform.ts';

const { CONSILIUM_SHARED } = process.env;
const shared = CONSILIUM_SHARED ?? join(import.meta.dirname, '../../../../shared');
const published = join(shared, 'vectors/discrete_gaussian.csv');

/** P(x) of N_Z(0, σ²) by its definition. */
function pmf(sigma: number): (x: number) => number {
  const weight = (x: number) => Math.exp(-(x * x) / (2 * sigma * sigma));
  let normalizer = 1;
  for (let x = 1; weight(x) > 0; x++) normalizer += 2 * weight(x);
  return (x) => weight(x) / normalizer;
}

function draw(seed: string, sigma: number, count: number): Float64Array {
  const values = new Float64Array(count);
  createDiscreteGaussian(seeded(seed), sigma).addTo(values);
  return values;
}

/** χ² of `values` against `probability`: one bin for each integer that is expected ten times, one for all others. */
function chiSquare(
  values: Float64Array,
  probability: (x: number) => number,
): { chiSquare: number; freedom: number } {
  const counts = new Map<number, number>();
  for (const x of values) counts.set(x, (counts.get(x) ?? 0) + 1);
  let [sum, freedom, othersSeen, othersExpected] = [0, 0, values.length, values.length];
  for (let x = 0; probability(x) * values.length >= 10; x++) {
    for (const signed of x === 0 ? [0] : [x, -x]) {
      const expected = probability(signed) * values.length;
      const seen = counts.get(signed) ?? 0;
      sum += (seen - expected) ** 2 / expected;
      freedom += 1;
      othersSeen -= seen;
      othersExpected -= expected;
    }
  }
  return { chiSquare: sum + (othersSeen - othersExpected) ** 2 / othersExpected, freedom };
}

/** What χ² stays below with probability 0.9995 (Wilson and Hilferty 1931). */
function mostChiSquare(freedom: number): number {
  const spread = 2 / (9 * freedom);
  return freedom * (1 - spread + 3.29 * Math.sqrt(spread)) ** 3;
}

test.skipIf(!existsSync(published))('the pmf of these tests is the published one', () => {
  const [header = '', ...rows] = readFileSync(published, 'utf8').trim().split('\n');
  const columns = header.split(',');
  expect(rows).toHaveLength(8);
  for (const row of rows) {
    const values = row.split(',').map(Number);
    const at = (column: string) => values[columns.indexOf(column)] ?? Number.NaN;
    const sigma = Math.sqrt(at('sigma2'));
    const p = pmf(sigma);
    expect(1 / p(0) / at('normalizer')).toBeCloseTo(1, 12);
    for (const x of [0, 1, 2, 5, 10]) expect(p(x) / at(`pmf_${x}`)).toBeCloseTo(1, 11);
    let [variance, tail] = [0, 0];
    for (let x = 1; p(x) > 0; x++) {
      variance += 2 * x * x * p(x);
      // 3σ is not exact in float64 where σ is a square root.
      if (x >= 3 * sigma * (1 - 1e-12)) tail += 2 * p(x);
    }
    expect(variance / at('variance')).toBeCloseTo(1, 12);
    expect(tail / at('tail_P_absX_ge_3sigma')).toBeCloseTo(1, 11);
  }
});

test.each([1, 2, 4, 10])('draws 400,000 integers as the pmf for σ = %d says', (sigma) => {
  const values = draw(`pmf ${sigma}`, sigma, 4e5);
  const { chiSquare: sum, freedom } = chiSquare(values, pmf(sigma));
  expect(sum).toBeLessThan(mostChiSquare(freedom));
  // This many draws tell σ from one that is 2 % larger.
  expect(chiSquare(values, pmf(sigma * 1.02)).chiSquare).toBeGreaterThan(mostChiSquare(freedom));
});

test.each([0.3, 0.5, Math.SQRT2, 3.7])('draws as the pmf says for σ = %d', (sigma) => {
  const { chiSquare: sum, freedom } = chiSquare(draw('odd', sigma, 1e5), pmf(sigma));
  expect(sum).toBeLessThan(mostChiSquare(freedom));
});

test.each([2 ** -30, 5e-324])('draws nothing but zeros for σ = %d', (sigma) => {
  expect(draw('tiny', sigma, 1000).every((x) => x === 0)).toBe(true);
});

test.each([2 ** 20, 1.37 * 2 ** 20, 2 ** 41])(
  'is distributed as the normal distribution for σ = %d, by Kolmogorov and Smirnov',
  (sigma) => {
    const values = draw(`normal ${sigma}`, sigma, 1e5).sort();
    let distance = 0;
    for (const [i, x] of values.entries()) {
      const p = normalCdf(x / sigma);
      distance = Math.max(distance, p - i / 1e5, (i + 1) / 1e5 - p);
    }
    // Passed with probability 0.001.
    expect(distance * Math.sqrt(1e5)).toBeLessThan(1.95);
  },
);

test.each([2 ** 20, 2 ** 41])(
  'fills every integer for σ = %d: the lowest eight bits are uniform',
  (sigma) => {
    const counts = new Float64Array(256);
    for (const x of draw(`bits ${sigma}`, sigma, 1e5)) {
      const low = ((x % 256) + 256) % 256;
      counts[low] = (counts[low] ?? 0) + 1;
    }
    const sum = counts.reduce((all, seen) => all + (seen - 1e5 / 256) ** 2 / (1e5 / 256), 0);
    expect(sum).toBeLessThan(mostChiSquare(255));
  },
);

test.each([3, 2 ** 20])('has mean 0, variance σ² and no memory for σ = %d', (sigma) => {
  const values = draw(`moments ${sigma}`, sigma, 1e5);
  const mean = values.reduce((sum, x) => sum + x, 0) / 1e5;
  const variance = values.reduce((sum, x) => sum + x * x, 0) / 1e5;
  const lag = values.reduce((sum, x, i) => sum + x * (values[i + 1] ?? 0), 0) / 1e5;
  expect(Math.abs(mean)).toBeLessThan((4 * sigma) / Math.sqrt(1e5));
  expect(Math.abs(variance / sigma ** 2 - 1)).toBeLessThan(0.015);
  expect(Math.abs(lag) / sigma ** 2).toBeLessThan(4 / Math.sqrt(1e5));
});

const manySigmas = [0.1, 0.9, 1, Math.PI, 10, 255.5, 2 ** 20, 1e6 + 1 / 3, 2 ** 41];

test.each(manySigmas)(
  'makes of the same bytes what rational arithmetic makes for σ = %d',
  (sigma) => {
    const uniform = createUniform(seeded('rational'));
    const expected = Array.from({ length: 150 }, () => rationalGaussian(uniform, sigma));
    expect([...draw('rational', sigma, 150)]).toEqual(expected);
  },
);

test.each(manySigmas)('needs no floating-point exponential to make them for σ = %d', (sigma) => {
  const uniform = createUniform(seeded('integers'));
  const expected = Array.from({ length: 20 }, () => rationalGaussian(uniform, sigma));
  const exp = vi.spyOn(Math, 'exp').mockReturnValue(Number.NaN);
  try {
    expect([...draw('integers', sigma, 20)]).toEqual(expected);
    expect(exp).toHaveBeenCalled();
  } finally {
    exp.mockRestore();
  }
});

test.each([
  [2 ** 20, 21],
  [1e6 + 1 / 3, 20],
])(
  'decides each toss by integers where a uniform number meets the boundary, for σ = %d',
  (sigma, bits) => {
    const t = Math.floor(sigma) + 1;
    const u = 700_001;
    const proposal = u * 2 ** (32 - bits);
    const gamma = gammaOf(u + t, sigma);
    const below = (exact: Ratio) => beside(exact, -1);
    const above = (exact: Ratio) => beside(exact, +1);
    const laplace = { numerator: BigInt(u), denominator: BigInt(t) };
    const negative = 2 ** 31;
    const toGamma = [proposal, ...below(laplace), ...below(one), ...above(one), negative];
    const first = (words: number[]) =>
      createDiscreteGaussian(wordsThen(words, seeded('after')), sigma).next();
    expect(first([...toGamma, ...below(gamma)])).toBe(-(u + t));
    // A proposal that is refused leaves the bytes behind it to the next one.
    const after = first([]);
    expect(first([...toGamma, ...above(gamma)])).toBe(after);
    expect(first([proposal, ...above(laplace)])).toBe(after);
  },
);

test('never repeats a vector in another process', () => {
  const module = new URL('./discrete-gaussian.ts', import.meta.url).href;
  const script = `
    const { randomBytes } = await import('node:crypto');
    const { createDiscreteGaussian } = await import('${module}');
    const noise = new Float64Array(64);
    createDiscreteGaussian(randomBytes, 2 ** 20).addTo(noise);
    process.stdout.write(JSON.stringify([...noise]));`;
  const run = (): number[] =>
    JSON.parse(
      execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
        encoding: 'utf8',
      }),
    );
  const [first, second] = [run(), run()];
  expect(first).toHaveLength(64);
  expect(first.filter((x, i) => x === second[i])).toEqual([]);
});

test.each([0, -1, Number.NaN, Infinity, 2 ** 41 + 1])('refuses σ = %d', (sigma) => {
  expect(() => createDiscreteGaussian(seeded('unused'), sigma)).toThrow(RangeError);
});

test('ends in an error when a source returns the array that was wiped again and again', () => {
  const array = seeded('shared')(2 ** 14);
  const noise = createDiscreteGaussian(() => array, 4);
  expect(() => noise.addTo(new Float64Array(1e5))).toThrow(RangeError);
});

const one: Ratio = { numerator: 1n, denominator: 1n };

/** Two words of a uniform number that agree with exp(−γ) in the first, and lie to one side of it in the second. */
function beside(exact: Ratio, side: 1 | -1): [number, number] {
  const [same = 0, differs = 0] = expDigits(exact, 2);
  return [same, differs + side];
}

/** σ as a fraction over a power of two; σ ≥ 2^-970. */
function fraction(sigma: number): [bigint, bigint] {
  const denominator = 2 ** Math.max(0, 52 - Math.floor(Math.log2(sigma)));
  return [BigInt(sigma * denominator), BigInt(denominator)];
}

/** (|x| − σ²/t)² / 2σ², in the notation of the paper's Algorithm 3. */
function gammaOf(magnitude: number, sigma: number): Ratio {
  const [a, b] = fraction(sigma);
  const t = BigInt(Math.floor(sigma) + 1);
  // All over b²t.
  const difference = BigInt(magnitude) * b * b * t - a * a;
  return { numerator: difference ** 2n * b * b, denominator: (b * b * t) ** 2n * 2n * a * a };
}

/** Canonne, Kamath, Steinke 2020, Algorithms 2 and 3, without a floating-point operation that rounds. */
function rationalGaussian(uniform: UniformSource, sigma: number): number {
  const t = Math.floor(sigma) + 1;
  for (;;) {
    const u = uniform.below(t);
    if (!rationalToss(uniform, { numerator: BigInt(u), denominator: BigInt(t) })) continue;
    let v = 0;
    while (rationalToss(uniform, one)) v++;
    const magnitude = u + t * v;
    const isNegative = uniform.word() >= 2 ** 31;
    if (isNegative && magnitude === 0) continue;
    if (rationalToss(uniform, gammaOf(magnitude, sigma)))
      return isNegative ? -magnitude : magnitude;
  }
}

function rationalToss(uniform: UniformSource, exact: Ratio): boolean {
  if (exact.numerator === 0n) return uniform.word() >= 0;
  for (const digit of expDigits(exact, 4)) {
    const word = uniform.word();
    if (word !== digit) return word < digit;
  }
  throw new Error('128 bits were not enough');
}

/** Φ with an error below 1.5e-7: Abramowitz and Stegun 1964, 7.1.26. */
function normalCdf(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const series =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = (series * Math.exp(-x * x)) / 2;
  return z > 0 ? 1 - tail : tail;
}
