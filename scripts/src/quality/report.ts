import { estimate, type MetricName, type PatientMetrics } from '@consilium/model';
import type { EvaluateResult } from '@consilium/node';
import { shortName } from './hospitals.ts';
import type { Reading } from './plan.ts';

/** One row of a table: a method on a test set, with figures of every seed. */
export interface Row {
  readonly test: string;
  readonly method: string;
  readonly patients: readonly string[];
  /** [seed][patient]. */
  readonly seeds: readonly (readonly PatientMetrics[])[];
  readonly collapsed: boolean;
}

export interface RowSummary {
  readonly test: string;
  readonly method: string;
  readonly collapsed: boolean;
  /** Mean over seeds of each patient's figures. */
  readonly perPatient: {
    readonly [patient: string]: { readonly [name in MetricName]: number | null };
  };
  /** Mean over patients, with its 95 % bootstrap interval by patient; and each seed's mean. */
  readonly means: {
    readonly [name in MetricName]: {
      readonly mean: number | null;
      readonly low: number | null;
      readonly high: number | null;
      readonly bySeed: readonly (number | null)[];
    };
  };
}

const names = [
  'diceInLung',
  'dice',
  'lungDice',
  'burdenError',
  'burden',
  'burdenTruth',
  'sensitivityLenient',
  'sensitivityStrict',
  'falsePerSliceLenient',
  'falsePerSliceStrict',
] as const satisfies readonly MetricName[];

export function rowOf(reading: Reading, results: readonly EvaluateResult[]): Row {
  return {
    test: reading.test.name,
    method: reading.method,
    patients: reading.test.patients,
    seeds: results.map(({ patients }) => patients),
    collapsed: results.some(({ summary }) => summary.collapsed),
  };
}

export function summariseRow(row: Row): RowSummary {
  const overSeeds = (patient: number, name: MetricName): number | null =>
    meanOrNull(row.seeds.map((seed) => seed[patient]?.[name] ?? null));
  return {
    test: row.test,
    method: row.method,
    collapsed: row.collapsed,
    perPatient: Object.fromEntries(
      row.patients.map((patient, i) => [patient, record((name) => overSeeds(i, name))]),
    ),
    means: record((name) => ({
      ...estimate(
        row.patients.map((_, i) => overSeeds(i, name)),
        0,
      ),
      bySeed: row.seeds.map((seed) => meanOrNull(seed.map((patient) => patient[name]))),
    })),
  };
}

/** A table a test set: in-lung Dice of each patient, then the means. */
export function printTables(rows: readonly RowSummary[]): void {
  for (const test of new Set(rows.map((row) => row.test))) {
    console.log(
      test === 'internal'
        ? '\nInternal test patients'
        : `\nHospital ${test} left out: the others on its patients`,
    );
    printTable(
      rows
        .filter((row) => row.test === test)
        .map((row) => ({ method: row.method, ...columns(row) })),
    );
  }
  console.log(
    'Dice of a patient: within the true lung, on the grid of the scan. own lung: within the lung that the model finds. s: lesion sensitivity at 1 false positive a slice (lenient: any overlap; strict: IoU at least 0.5).',
  );
}

/** Columns as wide as their widest cell; the first to the left, figures to the right. */
export function printTable(lines: readonly Record<string, string>[]): void {
  const names = Object.keys(lines[0] ?? {});
  const cells = [names, ...lines.map((line) => names.map((name) => line[name] ?? ''))];
  const widths = names.map((_, i) => Math.max(...cells.map((line) => line[i]?.length ?? 0)));
  for (const line of cells) {
    console.log(
      line
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  '),
    );
  }
}

function columns({ perPatient, means }: RowSummary): Record<string, string> {
  const { diceInLung } = means;
  return {
    ...Object.fromEntries(
      Object.entries(perPatient).map(([patient, figures]) => [
        shortName(patient),
        figure(figures.diceInLung),
      ]),
    ),
    'Dice in lung': figure(diceInLung.mean),
    '95 %': `${figure(diceInLung.low)}-${figure(diceInLung.high)}`,
    'own lung': figure(means.dice.mean),
    lung: figure(means.lungDice.mean),
    'burden err.': figure(means.burdenError.mean),
    's lenient': figure(means.sensitivityLenient.mean),
    's strict': figure(means.sensitivityStrict.mean),
    'FP/slice': figure(means.falsePerSliceLenient.mean),
  };
}

/** Whether something that was promised holds, and the figures that say so. */
export interface Bar {
  readonly name: string;
  readonly pass: boolean;
  readonly figures: string;
}

export function checkBars(rows: readonly RowSummary[]): Bar[] {
  const dice = (test: string, method: string): number =>
    rows.find((row) => row.test === test && row.method.startsWith(method))?.means.diceInLung.mean ??
    Number.NaN;
  const together = dice('internal', 'together');
  const pooled = dice('internal', 'pooled');
  const collapsed = rows.filter((row) => row.method.startsWith('alone') && row.collapsed);
  const outside = [...new Set(rows.map(({ test }) => test))].filter((test) => test !== 'internal');
  return [
    {
      name: 'internal: together within 0.02 Dice of pooled',
      pass: together >= pooled - 0.02,
      figures: `${figure(together)} against ${figure(pooled)}`,
    },
    {
      name: 'internal: together at least 0.50 Dice',
      pass: together >= 0.5,
      figures: figure(together),
    },
    {
      name: 'no hospital alone collapses to background',
      pass: collapsed.length === 0,
      figures:
        collapsed.map(({ method, test }) => `${method} on ${test}`).join(', ') || 'none does',
    },
    ...outside.map((test) => {
      const best = Math.max(
        ...rows
          .filter((row) => row.test === test && row.method.startsWith('alone'))
          .map((row) => row.means.diceInLung.mean ?? Number.NaN),
      );
      const got = dice(test, 'together');
      return {
        name: `hospital ${test} left out: together not below the best of its members alone`,
        pass: got >= best,
        figures: `${figure(got)} against ${figure(best)} (pooled ${figure(dice(test, 'pooled'))})`,
      };
    }),
  ];
}

function figure(value: number | null): string {
  return value === null || Number.isNaN(value) ? '-' : value.toFixed(3);
}

function meanOrNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((value): value is number => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

function record<T>(of: (name: MetricName) => T): { [name in MetricName]: T } {
  return Object.fromEntries(names.map((name) => [name, of(name)])) as { [name in MetricName]: T };
}
