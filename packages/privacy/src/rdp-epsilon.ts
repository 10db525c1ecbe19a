import type { RdpCurve } from './rdp.ts';

/** `steps` steps of which each spends `curve`. */
export interface RdpSpending {
  readonly curve: RdpCurve;
  /** A positive whole number. */
  readonly steps: number;
}

/**
 * Smallest ε, over the orders α of the curves, such that everything spent together is (ε, δ)-differentially private:
 * ε = ρ(α) + log((α − 1)/α) − log(δ α)/(α − 1), where ρ(α) is the sum of all Rényi divergences of order α. Never negative; 0 for nothing spent.
 *
 * A sum over a few hundred orders: cheap enough to ask after every record.
 *
 * @throws {RangeError} when δ is outside of (0, 1), a number of steps is not a positive whole number, or two curves differ in their orders.
 * @see Canonne, Kamath, Steinke 2020, The Discrete Gaussian for Differential Privacy, proposition 12
 * @see Mironov 2017, Rényi Differential Privacy, proposition 1, for the sum
 */
export function rdpEpsilon(spent: readonly RdpSpending[], delta: number): number {
  if (!(delta > 0 && delta < 1)) throw new RangeError(`delta must be in (0, 1), got ${delta}`);
  const [first] = spent;
  if (first === undefined) return 0;
  for (const { curve, steps } of spent) {
    if (!(Number.isSafeInteger(steps) && steps > 0)) {
      throw new RangeError(`steps must be a positive whole number, got ${steps}`);
    }
    if (!haveSameOrders(curve, first.curve)) throw new RangeError('curves differ in their orders');
  }
  let smallest = Infinity;
  for (const [i, order] of first.curve.orders.entries()) {
    const rho = spent.reduce(
      (sum, { curve, steps }) => sum + steps * (curve.rdp[i] ?? Infinity),
      0,
    );
    const epsilon =
      rho + Math.log1p(-1 / order) - (Math.log(delta) + Math.log(order)) / (order - 1);
    smallest = Math.min(smallest, epsilon);
  }
  return Math.max(0, smallest);
}

function haveSameOrders(a: RdpCurve, b: RdpCurve): boolean {
  return (
    a.orders === b.orders ||
    (a.orders.length === b.orders.length && a.orders.every((order, i) => order === b.orders[i]))
  );
}
