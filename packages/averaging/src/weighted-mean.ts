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
  const total = checkedTotal(contributions);
  const sums = new Float64Array((contributions[0] as Contribution).update.length);
  for (const { weight, update } of contributions) {
    for (let i = 0; i < sums.length; i++)
      sums[i] = (sums[i] as number) + weight * (update[i] as number);
  }
  return Int32Array.from(sums, (sum) => divideHalfToEven(sum, total));
}

/** Exact for integers |dividend| ≤ 2^53 and 0 < divisor ≤ 2^22: `%` and the division of a multiple do not round. */
export function divideHalfToEven(dividend: number, divisor: number): number {
  const remainder = dividend % divisor;
  const quotient = (dividend - remainder) / divisor;
  const twice = 2 * Math.abs(remainder);
  const away = twice > divisor || (twice === divisor && quotient % 2 !== 0);
  return away ? quotient + Math.sign(dividend) : quotient;
}

const largestTotal = 2 ** 22;

function checkedTotal(contributions: readonly Contribution[]): number {
  const first = contributions[0];
  if (first === undefined) throw new AveragingError('NO_CONTRIBUTION', 'nothing to average');
  let total = 0;
  for (const { weight, update } of contributions) {
    if (update.length !== first.update.length) {
      throw new AveragingError(
        'LENGTH_MISMATCH',
        `updates of ${first.update.length} and ${update.length} values`,
      );
    }
    if (!Number.isSafeInteger(weight) || weight < 1)
      throw new AveragingError('BAD_WEIGHT', `weight ${weight}`);
    total += weight;
  }
  if (total > largestTotal)
    throw new AveragingError('OUT_OF_RANGE', `weights sum to ${total}, at most ${largestTotal}`);
  return total;
}
