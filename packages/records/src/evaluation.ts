import {
  bytes,
  type Check,
  distinct,
  finite,
  integer,
  list,
  mismatch,
  nullable,
  object,
  text,
} from './schema.ts';

/** A figure with its interval, where there is one; `low ≤ high`. */
export interface Metric {
  /** Lower-case words, digits and `. / @ _ -`, 1…64 characters. */
  readonly name: string;
  readonly value: number;
  readonly low: number | null;
  readonly high: number | null;
}

/** How well a state does on one site's own patients, all together. */
export interface EvaluationBody {
  /** Round whose state was evaluated; 0 is the initial weights. */
  readonly round: number;
  /** SHA-256 of the state's weights. */
  readonly state: Uint8Array;
  /** Rounded number of patients behind the figures. */
  readonly patients: number;
  /** 1…256 metrics, each name once. */
  readonly metrics: readonly Metric[];
}

const fields: Check<EvaluationBody> = object({
  round: integer(0, 100_000),
  state: bytes(32),
  patients: integer(1, 10_000_000),
  metrics: list(
    object({
      name: text(64, /^[a-z0-9][a-z0-9./@_-]*$/),
      value: finite,
      low: nullable(finite),
      high: nullable(finite),
    }),
    1,
    256,
  ),
});

/** Checks an evaluation's body. @throws {RecordError} `SCHEMA`. */
export const evaluationBody: Check<EvaluationBody> = (value, path) => {
  const evaluation = fields(value, path);
  distinct(evaluation.metrics, ({ name }) => name, `${path}.metrics`);
  for (const [i, { low, high }] of evaluation.metrics.entries()) {
    if (low !== null && high !== null && low > high)
      mismatch(`${path}.metrics[${i}]`, 'low ≤ high');
  }
  return evaluation;
};
