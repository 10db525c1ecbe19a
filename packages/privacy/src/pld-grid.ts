import type { PrivacyEvent } from './event.ts';
import { type Direction, lossAxis, lossLogMoment } from './pld-loss.ts';
import { minimise } from './pld-minimise.ts';

/** The interval is doubled while the window, or the range of one step's loss, has more grid points than this. */
const mostPoints = 2 ** 20;
/** Less noise than this hides nothing, and would take long to resolve. */
const leastNoiseMultiplier = 0.01;
/** Gain in the ends of the window that is worth another evaluation. */
const leastGain = 1e-3;
/** Part of δ that may be lost at the ends of distributions, where it is counted as an infinite loss. */
const lostPart = 1e-9;

/** On which losses a composition is computed, and under which change of measure. */
export interface LossGrid {
  /** Masses are multiplied by exp(tilt · loss), which moves the losses around ε from a tail into the middle. Positive. */
  readonly tilt: number;
  /** Losses are whole multiples of this. */
  readonly interval: number;
  /** Multiple that the lowest loss of the window is. */
  readonly first: number;
  /** Number of losses in the window, a power of two; the total loss is known modulo `size` multiples. */
  readonly size: number;
  /** Probability that each end of one step's noise may leave out. */
  readonly tailMass: number;
  /** Upper bound of the probability of all that is left out, and of total losses above the window. */
  readonly lostMass: number;
}

/** Where the loss that is `index` intervals stands in a vector of masses. */
export function placeOf(index: number, size: number): number {
  return ((index % size) + size) % size;
}

/**
 * Chooses a tilt near that of the best Rényi order, and the window outside of which next to nothing lies. The interval is
 * `wantedInterval`, doubled until the window, and the range of one step's loss, have at most 2^20 losses.
 *
 * Null where no grid serves: below a noise multiplier of 0.01, and where rounding to an interval so long would widen the window more
 * than it helps, at some 10^9 steps.
 *
 * How close ε comes out depends on these choices; that it is an upper bound does not.
 *
 * @param renyiTilt the best Rényi order less one.
 * @see Alghamdi et al. 2023, The Saddle-Point Method in Differential Privacy, for this tilt
 */
export function chooseGrid(
  history: readonly PrivacyEvent[],
  direction: Direction,
  delta: number,
  renyiTilt: number,
  wantedInterval: number,
): LossGrid | null {
  const steps = history.reduce((sum, event) => sum + event.steps, 0);
  const tailMass = (delta * lostPart) / (4 * steps);
  if (history.some((event) => event.noiseMultiplier < leastNoiseMultiplier)) return null;
  const widest = Math.max(...history.map((event) => lossRange(event, direction, tailMass)));
  let interval = wantedInterval;
  while (widest > mostPoints * interval) interval *= 2;
  let lastWidth = Infinity;
  for (;;) {
    const window = chooseWindow(history, direction, delta, renyiTilt, interval);
    const width = window.high - window.low;
    if (!(width < Infinity) || width > 2 * lastWidth) return null;
    const points = width / interval + 2;
    if (points > mostPoints) {
      interval *= 2 ** Math.ceil(Math.log2(points / mostPoints));
      lastWidth = width;
      continue;
    }
    return {
      tilt: window.tilt,
      interval,
      first: Math.floor(window.low / interval),
      size: 2 ** Math.ceil(Math.log2(points)),
      tailMass,
      lostMass: 2 * steps * tailMass + (delta * lostPart) / 2,
    };
  }
}

/**
 * The lowest and the highest total loss between which lies all but a small part of the tilted measure, and all but a small part of δ of
 * the measure itself, by Chernoff's bounds.
 *
 * The best order can lie right before a steep rise of the divergence, and its tilted measure then have a far tail. Smaller tilts do not;
 * but the larger the tilt, the less do rounding errors weigh.
 */
function chooseWindow(
  history: readonly PrivacyEvent[],
  direction: Direction,
  delta: number,
  renyiTilt: number,
  interval: number,
): { tilt: number; low: number; high: number } {
  const steps = history.reduce((sum, event) => sum + event.steps, 0);
  const logMomentAt = (tilt: number) => lossLogMoment(history, direction, tilt);
  const logMomentOnGrid = (tilt: number) =>
    logMomentAt(tilt) + steps * logRoundingFactor(tilt, interval);
  const logLost = Math.log((delta * lostPart) / 4);
  const highest = minimise((tilt) => (logMomentOnGrid(tilt) - logLost) / tilt).value;
  const windows = [1, 0.7, 0.5, 0.35, 0.25].map((part) => {
    const tilt = part * renyiTilt;
    const logMomentTilted = logMomentAt(tilt);
    const endAt = (shift: number) =>
      (logMomentAt(tilt + shift) - logMomentTilted - Math.log(lostPart)) / shift;
    const low = -minimise((shift) => -endAt(-shift), leastGain).value;
    const high = minimise(endAt, leastGain).value;
    return { tilt, low, high: Math.max(high, highest) };
  });
  const narrowest = Math.min(...windows.map(({ low, high }) => high - low));
  return windows.find(({ low, high }) => high - low <= 1.25 * narrowest) as (typeof windows)[0];
}

/**
 * Upper bound of log E[exp(tilt · L')] − log E[exp(tilt · L)], where L' is L rounded to the grid by connecting dots: interpolation that is
 * linear in y = exp(−L) overestimates y^−tilt by at most the largest second derivative times the squared width by 8.
 */
function logRoundingFactor(tilt: number, interval: number): number {
  return Math.log1p((tilt * (tilt + 1) * interval ** 2 * Math.exp((tilt + 2) * interval)) / 8);
}

function lossRange(event: PrivacyEvent, direction: Direction, tailMass: number): number {
  const axis = lossAxis(event);
  const { low, high } = axis.ends(direction, tailMass);
  return axis.logRatio(high) - axis.logRatio(low);
}
