/**
 * Probabilities of 0…`trials` successes among independent trials, each with the given probability in (0, 1).
 * They sum to 1 up to rounding; relative errors are below 1e-10 for up to 10⁵ trials, and a probability below 1e-300 may be 0.
 */
export function binomialProbabilities(trials: number, probability: number): Float64Array {
  const odds = probability / (1 - probability);
  const mode = Math.min(trials, Math.floor((trials + 1) * probability));
  // In units of the most probable count's, by the ratios of neighbours; what underflows is nothing beside it.
  const weights = new Float64Array(trials + 1);
  let weight = 1;
  let sum = 0;
  for (let k = mode; k <= trials; k++) {
    weights[k] = weight;
    sum += weight;
    weight *= (odds * (trials - k)) / (k + 1);
  }
  weight = 1;
  for (let k = mode - 1; k >= 0; k--) {
    weight *= (k + 1) / (odds * (trials - k));
    weights[k] = weight;
    sum += weight;
  }
  return weights.map((value) => value / sum);
}

/** The probability of at least `successes` among `trials`; 1 for no success, summed from the small end. */
export function binomialTail(successes: number, trials: number, probability: number): number {
  if (successes <= 0) return 1;
  return tailSum(binomialProbabilities(trials, probability), successes);
}

/** The sum of `probabilities` from index `from` on, added from the last, which in a tail is the smallest. */
export function tailSum(probabilities: Float64Array, from: number): number {
  let sum = 0;
  for (let k = probabilities.length - 1; k >= from; k--) sum += probabilities[k] ?? 0;
  return sum;
}
