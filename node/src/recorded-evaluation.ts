import type { CohortMetrics, MetricName } from '@consilium/model';
import type { EvaluationBody } from '@consilium/records';

/** Figures that a site tells the others, under these names; pairs of lenient and strict go together. */
const published: readonly (readonly [metric: MetricName, name: string])[] = [
  ['dice', 'lesion-dice'],
  ['diceInLung', 'lesion-dice-in-lung'],
  ['lungDice', 'lung-dice'],
  ['sensitivityLenient', 'sensitivity-at-1-fp-per-slice.lenient'],
  ['sensitivityStrict', 'sensitivity-at-1-fp-per-slice.strict'],
  ['burdenError', 'burden-error'],
];

/** The fewest held-out patients of which a site publishes figures: a mean over fewer says too much about each. */
export const leastPublishedPatients = 5;

/**
 * The aggregate that a site signs for a state: means over its own held-out patients with their intervals, and the number of patients rounded to
 * a multiple of five. Nothing in it belongs to one patient; figures that no patient has are left out.
 *
 * @param state digest (hex) of the weights that were evaluated
 */
export function evaluationBody(
  round: number,
  state: string,
  { patients, metrics }: CohortMetrics,
): EvaluationBody {
  return {
    round,
    state: Buffer.from(state, 'hex'),
    patients: Math.max(leastPublishedPatients, Math.round(patients / 5) * 5),
    metrics: published.flatMap(([metric, name]) => {
      const { mean, low, high } = metrics[metric];
      return mean === null ? [] : [{ name, value: mean, low, high }];
    }),
  };
}
