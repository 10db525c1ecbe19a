import type { PrivacyEvent } from './event.ts';
import { composeLosses } from './pld-compose.ts';
import { epsilonOfLoss } from './pld-epsilon.ts';
import { chooseGrid } from './pld-grid.ts';
import type { Direction } from './pld-loss.ts';
import { renyiBound } from './pld-renyi.ts';

/** Distance between losses, where rounding allows it and the window is not too long: what dp_accounting takes. */
const usualInterval = 1e-4;

/**
 * Smallest ε such that everything in `history` together is (ε, δ)-differentially private, by the distribution of the privacy loss: the
 * larger one of both directions. Never negative; 0 for an empty history; Infinity where ε is beyond every number.
 *
 * It is an upper bound, whatever the numbers: losses are rounded so that they only look larger, what is cut off counts as infinite, and
 * bounds of all rounding errors are added to δ. It lies above the smallest ε by about 2e-4 at most where that is below 10 (by 1 % of the
 * Rényi bound, where that is less), and by 2e-5 of itself above; by 2e-3 where δ nears 1e-10 and few patients are drawn in many steps;
 * by more beyond some 10^6 steps. It is never above the bound that Rényi orders give.
 *
 * @param history with numbers that were checked.
 * @see Doroshenko, Ghazi, Kamath, Kumar, Manurangsi 2022, Connect the Dots: Tighter Discrete Approximations of Privacy Loss Distributions
 */
export function pldEpsilon(history: readonly PrivacyEvent[], delta: number): number {
  const removing = directedEpsilon(history, 'remove', delta);
  // Released without her, a value is at most 1 / (1 − q) times as likely as with her: that she may not have been drawn.
  const mostAdding = history.reduce(
    (sum, { sampleRate, steps }) => sum - steps * Math.log1p(-sampleRate),
    0,
  );
  if (removing >= mostAdding) return removing;
  return Math.max(removing, directedEpsilon(history, 'add', delta));
}

/** ε for neighbours that differ in one direction only. */
export function directedEpsilon(
  history: readonly PrivacyEvent[],
  direction: Direction,
  delta: number,
): number {
  const renyi = renyiBound(history, direction, delta);
  if (!(renyi.epsilon > 0)) return 0;
  if (renyi.epsilon === Infinity) return Infinity;
  const steps = history.reduce((sum, event) => sum + event.steps, 0);
  const mostRounding = Math.max(Math.min(2e-4, 0.01 * renyi.epsilon), 2e-5 * renyi.epsilon);
  let wanted = usualInterval;
  let slope = renyi.tilt;
  for (;;) {
    while (roundingOf(steps, wanted, slope) > mostRounding) wanted /= 2;
    const grid = chooseGrid(history, direction, delta, renyi.tilt, wanted);
    if (grid === null) return renyi.epsilon;
    const found = epsilonOfLoss(composeLosses(history, direction, grid), grid, steps, delta);
    // Only now is it known how steep δ is at ε.
    slope = found.slope;
    if (grid.interval > wanted || roundingOf(steps, wanted, slope) <= mostRounding) {
      return Math.min(found.epsilon, renyi.epsilon);
    }
  }
}

/**
 * About how much rounding losses to the grid adds to ε, where log δ falls by `slope` for each unit of ε: sharing a loss out to two neighbours
 * adds up to interval² / 6, on average, to its variance, and half of that to its mean.
 */
function roundingOf(steps: number, interval: number, slope: number): number {
  return (steps * interval ** 2 * (1 + slope)) / 12;
}
