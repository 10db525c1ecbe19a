import type { UniformSource } from './uniform.ts';

/** The rational number numerator / denominator; the first is not negative, the second positive. */
export interface Ratio {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Absolute; what the float64 probability below may be wrong by. */
const margin = 2 ** -40;

/**
 * True with probability exp(−γ) exactly, for a rational γ ≥ 0.
 *
 * A uniform real number U in [0, 1) is compared with exp(−γ), but only as many of its bits are drawn as the comparison needs. The first 32
 * say that U lies in [w, w + 1] · 2^-32. Where that interval and the float64 value of exp(−γ), widened by 2^-40 on both sides, do not
 * meet, they decide; else (once in about 2^32 calls) integers of any length do, with `exactGamma` and more bits of U. No outcome
 * depends on the rounding of floating-point numbers.
 *
 * `gamma` is a float64 near γ: |gamma − γ| ≤ 2^-48 (1 + γ), or NaN where nothing is known. Then |exp(−gamma) − exp(−γ)| < 2^-47, since
 * (1 + γ) exp(−γ) ≤ 1; the rounding of the differences below adds 2^-53. That leaves more than 2^-41, or 2^12 units in the last place, to
 * `Math.exp`, which V8 takes from fdlibm with an error below one.
 *
 * @see Karney 2016, Sampling Exactly from the Normal Distribution, for lazy bits; Canonne, Kamath, Steinke 2020, The Discrete
 * Gaussian for Differential Privacy, Algorithm 1, for an exact method without an exponential function
 */
export function bernoulliExp(
  uniform: UniformSource,
  gamma: number,
  exactGamma: () => Ratio,
): boolean {
  const word = uniform.word();
  const probability = Math.exp(-gamma);
  if ((word + 1) * 2 ** -32 <= probability - margin) return true;
  if (word * 2 ** -32 >= probability + margin) return false;
  return decideExactly(uniform, word, exactGamma());
}

/** Whether U < exp(−γ), for a U whose first 32 bits are `word`. */
function decideExactly(uniform: UniformSource, word: number, gamma: Ratio): boolean {
  let drawn = BigInt(word);
  for (let bits = 32; ; bits += 32) {
    // exp(γ) lies in [low, high] / unit, and U in [drawn, drawn + 1] / one.
    const { low, high, unit } = encloseExp(gamma, 4 * bits);
    const one = 1n << BigInt(bits);
    if (high !== undefined && (drawn + 1n) * high <= one * unit) return true;
    if (drawn * low >= one * unit) return false;
    drawn = (drawn << 32n) | BigInt(uniform.word());
  }
}

/**
 * The first `terms` terms of Σ γ^j / j! as a fraction low / unit, and with a bound on all others high / unit: where γ ≤ terms / 2
 * each is at most half of the one before it. For a larger γ there is no upper bound.
 *
 * With terms = 4 · bits the enclosure is narrower than 2^-bits of its value where γ ≤ bits (a Poisson tail), and low exceeds 2^bits · unit where
 * γ > bits: whoever compares it with more and more bits of U comes to an end.
 */
function encloseExp(
  { numerator, denominator }: Ratio,
  terms: number,
): { low: bigint; high: bigint | undefined; unit: bigint } {
  let low = 1n;
  let term = 1n;
  let unit = 1n;
  for (let j = 1; j < terms; j++) {
    const factor = denominator * BigInt(j);
    term *= numerator;
    low = low * factor + term;
    unit *= factor;
  }
  // term / unit is the last one that was added; those behind it sum to at most as much.
  const isGeometric = 2n * numerator <= BigInt(terms) * denominator;
  return { low, high: isGeometric ? low + term : undefined, unit };
}
