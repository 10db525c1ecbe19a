import type { RandomBytes } from '@consilium/weights';
import { bernoulliExp, type Ratio } from './bernoulli-exp.ts';
import { createUniform, type UniformSource } from './uniform.ts';

/** Independent integers of one distribution. */
export interface IntegerNoise {
  next(): number;
  /** Adds one integer to each value. */
  addTo(values: Float64Array): void;
}

const largestSigma = 2 ** 41;
/** A geometric variable reaches this with probability exp(−2048) < 2^-2954. */
const geometricLimit = 2048;

/**
 * Draws integers x with probability proportional to exp(−x² / 2σ²): the discrete Gaussian N_Z(0, σ²), exactly.
 *
 * `sigma` is any float64 in (0, 2^41], taken as the rational number that it is. The standard deviation of the integers is at most σ, and
 * from σ = 1 on equal to it within 2e-7.
 *
 * Exact: proposals are uniform integers and coin tosses, and each toss is decided as real numbers would decide it (`bernoulliExp`).
 * One thing is left out, so that every integer is exact in float64: a proposal from 2048 ⌊σ + 1⌋ ≤ 2^52 + 2^11 on, of probability
 * exp(−2048), ends in an error. A random source that gives only zeros ends there too, rather than in an endless loop.
 *
 * How long a draw takes depends on its value (Jin, McMurtry, Rubinstein, Ohrimenko 2022, Are We There Yet? Timing and Floating-Point
 * Attacks on Differential Privacy Systems): nobody who is to see the sum may be able to time single draws.
 *
 * @throws {RangeError} for a `sigma` outside of (0, 2^41]; from `next` and `addTo` for what is left out.
 * @see Canonne, Kamath, Steinke 2020, The Discrete Gaussian for Differential Privacy, Algorithms 2 and 3
 */
export function createDiscreteGaussian(random: RandomBytes, sigma: number): IntegerNoise {
  if (!(sigma > 0 && sigma <= largestSigma)) {
    throw new RangeError(`sigma must be in (0, 2^41], got ${sigma}`);
  }
  const uniform = createUniform(random);
  const t = Math.floor(sigma) + 1;
  const center = sigma * (sigma / t); // σ² / t

  function next(): number {
    for (;;) {
      const x = discreteLaplace(uniform, t);
      const magnitude = Math.abs(x);
      // z² / 2 is γ within 2^-50 (1 + γ): center is below σ and off by 2^-52 of itself, and three more operations round. Where it
      // overflows, exp(−γ) is smaller than any margin.
      const z = (magnitude - center) / sigma;
      if (bernoulliExp(uniform, (z * z) / 2, () => acceptance(magnitude, sigma, t))) return x;
    }
  }

  return {
    next,
    addTo(values) {
      for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) + next();
    },
  };
}

/** γ = (|x| − σ²/t)² / 2σ² for the float64 σ. */
function acceptance(magnitude: number, sigma: number, t: number): Ratio {
  const { numerator: s, denominator: e } = toRatio(sigma);
  const et = e * e * BigInt(t);
  const difference = BigInt(magnitude) * et - s * s;
  return { numerator: difference * difference, denominator: 2n * s * s * et * BigInt(t) };
}

/** An integer with probability proportional to exp(−|x| / t). */
function discreteLaplace(uniform: UniformSource, t: number): number {
  for (;;) {
    const u = uniform.below(t);
    if (!bernoulliExp(uniform, u / t, () => ({ numerator: BigInt(u), denominator: BigInt(t) })))
      continue;
    const magnitude = u + t * geometric(uniform);
    const isNegative = uniform.word() >= 2 ** 31;
    if (!isNegative) return magnitude;
    if (magnitude !== 0) return -magnitude; // else zero would be drawn twice as often
  }
}

const one: Ratio = { numerator: 1n, denominator: 1n };

/** 0, 1, 2, … with probability proportional to exp(−v). */
function geometric(uniform: UniformSource): number {
  let v = 0;
  while (bernoulliExp(uniform, 1, () => one)) {
    if (++v === geometricLimit) throw new RangeError('the random source gives zeros only');
  }
  return v;
}

/** A positive float64 is a whole number over a power of two. */
function toRatio(value: number): Ratio {
  let numerator = value;
  let denominator = 1n;
  while (!Number.isInteger(numerator)) {
    numerator *= 2;
    denominator *= 2n;
  }
  return { numerator: BigInt(numerator), denominator };
}
