import { seeded } from './seeded.ts';

/** A mean over patients with the 95 % bootstrap interval by patient; the interval is null for fewer than two patients. */
export interface Estimate {
  readonly mean: number | null;
  readonly low: number | null;
  readonly high: number | null;
  /** Patients that have the figure at all. */
  readonly patients: number;
}

/**
 * Draws the patients with replacement 2,000 times; `low` and `high` are the 2.5 % and 97.5 % quantiles of the
 * means. Patients whose figure is null (a lesion figure without a lesion) are left out beforehand.
 */
export function estimate(values: readonly (number | null)[], seed: number): Estimate {
  const known = values.filter((value): value is number => value !== null);
  if (known.length === 0) {
    return { mean: null, low: null, high: null, patients: 0 };
  }
  const mean = meanOf(known);
  if (known.length < 2) {
    return { mean, low: null, high: null, patients: known.length };
  }
  const random = seeded('bootstrap', seed);
  const means = Float64Array.from({ length: 2000 }, () =>
    meanOf(known.map(() => known[random.below(known.length)] as number)),
  ).sort();
  return { mean, low: means[50] ?? null, high: means[1949] ?? null, patients: known.length };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
