/**
 * The probability that the sum of `freedom` squares of independent standard normal numbers is at most `sum`.
 *
 * Relative error below 1e-9 wherever the result is above 1e-300, for 20 and more degrees of freedom, up to 10^8. NaN for a NaN.
 *
 * @throws {RangeError} when `freedom` is not a whole number from 20 on, or `sum` is negative.
 * @see Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 6.5.29 and 6.5.31, 6.1.41 for the gamma function
 */
export function chiSquareCdf(freedom: number, sum: number): number {
  if (!Number.isSafeInteger(freedom) || freedom < 20) {
    throw new RangeError(`wanted 20 degrees of freedom or more, got ${freedom}`);
  }
  if (sum < 0) throw new RangeError(`a sum of squares is not negative, got ${sum}`);
  const a = freedom / 2;
  const x = sum / 2;
  if (x === 0) return 0;
  return x < a + 1 ? density(a, x) * lowerSeries(a, x) : 1 - density(a, x) * upperFraction(a, x);
}

/** x^a e^−x / Γ(a + 1), from the ratio of x to a, so that nothing cancels. */
function density(a: number, x: number): number {
  const above = (x - a) / a;
  const stirling = 1 / (12 * a) - 1 / (360 * a ** 3) + 1 / (1260 * a ** 5) - 1 / (1680 * a ** 7);
  return Math.exp(-a * (above - Math.log1p(above)) - stirling) / Math.sqrt(2 * Math.PI * a);
}

/** γ(a, x) = x^a e^−x / a · Σ x^k / ((a + 1) … (a + k)). */
function lowerSeries(a: number, x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > 1e-17 * sum; k++) {
    term *= x / (a + k);
    sum += term;
  }
  return sum;
}

/** Γ(a, x) = x^a e^−x · 1 / (x + 1 − a − 1 (1 − a) / (x + 3 − a − …)), by Lentz's method, times a. */
function upperFraction(a: number, x: number): number {
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let fraction = d;
  for (let k = 1; k < 1_000_000; k++) {
    const factor = -k * (k - a);
    b += 2;
    d = 1 / nonZero(factor * d + b, tiny);
    c = nonZero(b + factor / c, tiny);
    const change = d * c;
    fraction *= change;
    if (Math.abs(change - 1) < 1e-15) break;
  }
  return a * fraction;
}

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}
