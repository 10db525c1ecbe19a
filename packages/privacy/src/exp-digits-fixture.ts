import type { Ratio } from './bernoulli-exp.ts';

/**
 * The first `words` 32-bit digits of exp(−γ) < 1, for tests, by another way than the sampler's: powers of e^-1 times exp of the
 * fraction, in fixed point with 256 bits to spare.
 */
export function expDigits({ numerator, denominator }: Ratio, words: number): number[] {
  const precision = BigInt(32 * words + 256);
  let value = alternatingSeries(numerator % denominator, denominator, precision);
  const inverseE = alternatingSeries(1n, 1n, precision);
  for (let whole = numerator / denominator; whole > 0n; whole--) {
    value = (value * inverseE) >> precision;
  }
  return Array.from({ length: words }, (_, i) =>
    Number((value >> (precision - BigInt(32 * (i + 1)))) & 0xffffffffn),
  );
}

/** 2^precision · Σ (−n/d)^j / j!, a few units off. */
function alternatingSeries(n: bigint, d: bigint, precision: bigint): bigint {
  let term = 1n << precision;
  let sum = 0n;
  for (let j = 1n; term !== 0n; j++) {
    sum += term;
    term = (-term * n) / (d * j);
  }
  return sum;
}
