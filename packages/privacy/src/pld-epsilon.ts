import type { ComposedLoss } from './pld-compose.ts';
import { type LossGrid, placeOf } from './pld-grid.ts';

/** Bound of the relative error of what the probabilities that `connectDots` gives add up to. */
const dotError = 1e-11;

/**
 * Smallest ε ≥ 0 at which δ(ε) = E[max(0, 1 − exp(ε − L))], of the total loss L, and all that may be missing from it are at most δ.
 *
 * `slope` is by how much log δ falls there for each unit of ε; 0 where ε is at an end.
 *
 * @see Sommer, Meiser, Mohammadi 2019, Privacy Loss Classes: The Central Limit Theorem in Differential Privacy, for δ(ε) of a loss
 */
export function epsilonOfLoss(
  composed: ComposedLoss,
  grid: LossGrid,
  steps: number,
  delta: number,
): { epsilon: number; slope: number } {
  const { tilt, interval, first, size } = grid;
  const decay = Math.exp(-interval);
  // From the highest loss down, in units of δ: P[L ≥ loss], E[exp(loss − L); L ≥ loss], and the squared weights of rounding errors.
  let above = 0;
  let discounted = 0;
  let squares = 0;
  for (let i = first + size - 1; i >= first; i--) {
    const loss = i * interval;
    if (loss < 0) return { epsilon: 0, slope: 0 };
    const weight = Math.exp(composed.logScale - tilt * loss - Math.log(delta));
    const mass = weight * (composed.mass[placeOf(i, size)] as number);
    above += mass;
    discounted += mass;
    squares += weight ** 2;
    const missing =
      grid.lostMass / delta + composed.errorNorm * Math.sqrt(squares) + steps * dotError * above;
    // Between this loss and the next lower one, δ(ε) / δ is above − discounted · exp(ε − loss).
    if (above - discounted * decay + missing >= 1) {
      const back = Math.log((above + missing - 1) / discounted);
      return {
        epsilon: Math.max(0, loss + Math.max(-interval, Math.min(0, back))),
        slope: (discounted * decay) / (above - discounted * decay),
      };
    }
    discounted *= decay;
  }
  return { epsilon: Math.max(0, first * interval), slope: 0 };
}
