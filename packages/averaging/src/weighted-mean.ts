import { AveragingError } from './error.ts';

/** One site's update on the study's grid, and how much it counts. */
export interface Contribution {
  /** A positive integer: the site's declared cohort size after capping. */
  readonly weight: number;
  readonly update: Int32Array;
}

/** A rule that makes one update of several. Pure, and the same for any order of the contributions. */
export type AggregationRule = (contributions: readonly Contribution[]) => Int32Array;

/**
 * Σ w·u / Σ w for each coordinate, rounded once, half to even.
 *
 * Exact: sums are of integers below 2^53 in float64, which neither round nor depend on the order. The result lies between the
 * smallest and the largest contribution of its coordinate.
 *
 * @throws {AveragingError} `NO_CONTRIBUTION`; `LENGTH_MISMATCH`; `BAD_WEIGHT` for a weight that is not a positive integer;
 * `OUT_OF_RANGE` when Σ w · 2^31 could exceed 2^53, that is Σ w > 2^22.
 * @see McMahan et al. 2017, Communication-Efficient Learning of Deep Networks from Decentralized Data, Algorithm 1
 */
export function weightedMean(contributions: readonly Contribution[]): Int32Array {
  const mean = new RunningMean(contributions[0]?.update.length ?? 0);
  for (const contribution of contributions) mean.add(contribution);
  return mean.value();
}

/** {@link weightedMean} of contributions that come one by one; none of them is kept, so that it takes the memory of one vector. */
export class RunningMean {
  readonly #sums: Float64Array;
  #total = 0;

  /** @param length values of every contribution */
  constructor(length: number) {
    this.#sums = new Float64Array(length);
  }

  /** @throws {AveragingError} `LENGTH_MISMATCH`, `BAD_WEIGHT`, `OUT_OF_RANGE`; the mean is then as before. */
  add({ weight, update }: Contribution): void {
    const sums = this.#sums;
    if (update.length !== sums.length) throw lengthMismatch(sums.length, update.length);
    if (!Number.isSafeInteger(weight) || weight < 1)
      throw new AveragingError('BAD_WEIGHT', `weight ${weight}`);
    if (this.#total + weight > largestTotal) {
      const message = `weights sum to ${this.#total + weight}, at most ${largestTotal}`;
      throw new AveragingError('OUT_OF_RANGE', message);
    }
    this.#total += weight;
    for (let i = 0; i < sums.length; i++)
      sums[i] = (sums[i] as number) + weight * (update[i] as number);
  }

  /** Whether nothing was added so far, or since {@link clear}. */
  get isEmpty(): boolean {
    return this.#total === 0;
  }

  /** The mean of what was added so far. @throws {AveragingError} `NO_CONTRIBUTION`. */
  value(): Int32Array {
    const mean = new Float64Array(this.#sums.length);
    this.addTo(mean);
    return new Int32Array(mean);
  }

  /** Adds the mean of what was added so far to `values`, which are as many. @throws {AveragingError} `NO_CONTRIBUTION`, `LENGTH_MISMATCH`. */
  addTo(values: Float64Array): void {
    const [sums, total] = [this.#sums, this.#total];
    if (total === 0) throw new AveragingError('NO_CONTRIBUTION', 'nothing to average');
    if (values.length !== sums.length) throw lengthMismatch(sums.length, values.length);
    // Sums are below total · 2^31: almost always none can be too large for the short way.
    if (total * 2 ** 31 > exactlyMultiplied) {
      for (let i = 0; i < sums.length; i++) {
        values[i] = (values[i] as number) + divideHalfToEven(sums[i] as number, total);
      }
      return;
    }
    const inverse = 1 / total;
    for (let i = 0; i < sums.length; i++) {
      values[i] = (values[i] as number) + nearest(sums[i] as number, total, inverse);
    }
  }

  /** Forgets everything that was added; the memory stays. */
  clear(): void {
    this.#sums.fill(0);
    this.#total = 0;
  }
}

function lengthMismatch(wanted: number, got: number): AveragingError {
  return new AveragingError('LENGTH_MISMATCH', `updates of ${wanted} and ${got} values`);
}

/** The nearest integer to dividend ÷ divisor, of two the even one. Exact for integers |dividend| ≤ 2^53 and 0 < divisor ≤ 2^22. */
export function divideHalfToEven(dividend: number, divisor: number): number {
  const isSmall = dividend <= exactlyMultiplied && dividend >= -exactlyMultiplied;
  return isSmall ? nearest(dividend, divisor, 1 / divisor) : divideByRemainder(dividend, divisor);
}

/**
 * {@link divideHalfToEven} for |dividend| ≤ 2^52 and |dividend ÷ divisor| ≤ 2^50, much faster than by `%`: the quotient is off by one at most, its multiple is below 2^53 and does
 * not round, so that the rest is exact and tells.
 */
function nearest(dividend: number, divisor: number, inverse: number): number {
  const quotient = Math.floor(dividend * inverse + 0.5);
  const twice = 2 * (dividend - quotient * divisor);
  if (twice < divisor && twice > -divisor) return quotient;
  const isTie = twice === divisor || twice === -divisor;
  if (isTie && Math.floor(quotient / 2) === quotient / 2) return quotient;
  return twice > 0 ? quotient + 1 : quotient - 1;
}

const exactlyMultiplied = 2 ** 52;

/** `%` and the division of a multiple do not round. */
function divideByRemainder(dividend: number, divisor: number): number {
  const remainder = dividend % divisor;
  const quotient = (dividend - remainder) / divisor;
  const twice = 2 * Math.abs(remainder);
  const away = twice > divisor || (twice === divisor && quotient % 2 !== 0);
  return away ? quotient + Math.sign(dividend) : quotient;
}

const largestTotal = 2 ** 22;
