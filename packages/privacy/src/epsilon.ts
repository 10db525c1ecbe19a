import type { PrivacyEvent } from './event.ts';
import { pldEpsilon } from './pld.ts';
import { rdpCurve } from './rdp.ts';
import { rdpEpsilon } from './rdp-epsilon.ts';

/** `rdp`: Rényi differential privacy. `pld`: the distribution of the privacy loss, which is tighter. Both are upper bounds. */
export type Accountant = 'rdp' | 'pld';

export interface EpsilonInit {
  /** Orders over which `rdp` is minimised; `pld` has none. @default defaultOrders */
  readonly orders?: readonly number[];
}

/**
 * The privacy that `history` has spent: an ε for which everything in it together is (ε, δ)-differentially private, when one patient is added
 * or removed. Never below the smallest such ε, never negative; 0 for an empty history.
 *
 * Parameters may differ between events; their order does not matter, and events of equal parameters are one.
 *
 * `pld` takes some 10 to 500 ms of a processor's time for each call, `rdp` some 10 ms for each pair of parameters; see `rdpCurve` for asking again.
 *
 * @throws {RangeError} when δ is outside of (0, 1), a sample rate outside of (0, 1], a noise multiplier not positive and finite, a number of
 *   steps not a positive whole number, or `orders` holds none or one that is not above 1.
 */
export function epsilon(
  history: readonly PrivacyEvent[],
  delta: number,
  accountant: Accountant,
  init: EpsilonInit = {},
): number {
  if (!(delta > 0 && delta < 1)) throw new RangeError(`delta must be in (0, 1), got ${delta}`);
  const events = merge(history);
  if (accountant === 'pld') return pldEpsilon(events, delta);
  const spent = events.map(({ sampleRate, noiseMultiplier, steps }) => ({
    curve: rdpCurve(sampleRate, noiseMultiplier, init.orders),
    steps,
  }));
  return rdpEpsilon(spent, delta);
}

/** One event for each pair of parameters, in the order of their numbers, so that sums come out the same for any order of `history`. */
function merge(history: readonly PrivacyEvent[]): PrivacyEvent[] {
  const merged = new Map<string, PrivacyEvent>();
  for (const { sampleRate, noiseMultiplier, steps } of history) {
    const key = `${sampleRate} ${noiseMultiplier}`;
    checkSteps(steps);
    const total = steps + (merged.get(key)?.steps ?? 0);
    checkSteps(total);
    merged.set(key, { sampleRate, noiseMultiplier, steps: total });
  }
  return [...merged.values()].sort(
    (a, b) => a.sampleRate - b.sampleRate || a.noiseMultiplier - b.noiseMultiplier,
  );
}

function checkSteps(steps: number): void {
  if (!(Number.isSafeInteger(steps) && steps > 0)) {
    throw new RangeError(`steps must be a positive whole number, got ${steps}`);
  }
}
