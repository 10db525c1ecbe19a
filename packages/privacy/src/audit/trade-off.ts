import { normalCdf, normalQuantile } from './normal.ts';

/**
 * A trade-off function f in the form that an audit needs: the inverse of 1 − f. From how probable an event is under one of
 * two neighbouring inputs it tells how probable the event must be, at least, under the other. Convex, increasing, and at
 * most the identity on [0, 1]; f must be symmetric.
 *
 * @see Dong, Roth and Su 2019, Gaussian Differential Privacy; Mahloujifar, Melis and Chaudhuri 2024
 */
export type LeastProbability = (probability: number) => number;

/** Of a μ-Gaussian private mechanism: T releases with noise multiplier σ of everybody have μ = √T/σ. */
export function gaussianTradeOff(mu: number): LeastProbability {
  return (probability) => normalCdf(normalQuantile(probability) - mu);
}

/**
 * The smallest ε at least 0 for which μ-Gaussian privacy is (ε, δ)-differential privacy; `delta` in (0, 1). 0 for μ = 0.
 *
 * @see Balle and Wang 2018, Improving the Gaussian Mechanism, Theorem 8; Dong, Roth and Su 2019, Corollary 2.13
 */
export function gaussianEpsilon(mu: number, delta: number): number {
  const deltaOf = (epsilon: number): number =>
    normalCdf(mu / 2 - epsilon / mu) - Math.exp(epsilon) * normalCdf(-mu / 2 - epsilon / mu);
  if (mu === 0 || deltaOf(0) <= delta) return 0;
  let low = 0;
  let high = mu * (mu / 2 + Math.sqrt(-2 * Math.log(delta))); // P[Z > √(2 log 1/δ)] is below δ
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (deltaOf(middle) > delta) low = middle;
    else high = middle;
  }
  return high;
}
