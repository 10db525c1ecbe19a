import type { PrivacyEvent } from './event.ts';
import { type Direction, lossLogMoment } from './pld-loss.ts';
import { minimise } from './pld-minimise.ts';

/** An upper bound of ε, and the Rényi order, less one, that gives it. */
export interface RenyiBound {
  readonly epsilon: number;
  readonly tilt: number;
}

/**
 * ε of a history in one direction by its best Rényi order, over all real orders. Not positive where ε is 0 by this bound.
 *
 * @see Canonne, Kamath, Steinke 2020, The Discrete Gaussian for Differential Privacy, proposition 12
 */
export function renyiBound(
  history: readonly PrivacyEvent[],
  direction: Direction,
  delta: number,
): RenyiBound {
  const { at, value } = minimise(
    (tilt) =>
      (lossLogMoment(history, direction, tilt) - Math.log(delta) - Math.log1p(tilt)) / tilt -
      Math.log1p(1 / tilt),
  );
  return { tilt: at, epsilon: value };
}
