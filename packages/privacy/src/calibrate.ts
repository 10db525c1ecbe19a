import { type Accountant, epsilon } from './epsilon.ts';
import { PrivacyError } from './error.ts';

/** What is searched. The smallest is far below any noise that protects, the largest far above any with which a model learns. */
const searched = { smallest: 0.05, largest: 10_000 };
/** The result is at most this much above the smallest noise multiplier, relatively. */
const tolerance = 1e-4;

/**
 * The smallest noise multiplier between 0.05 and 10,000 with which `steps` steps are (`targetEpsilon`, `delta`)-differentially private by
 * the accountant. At most 1e-4 of itself above the true one, and never below: `epsilon` of the result is at most `targetEpsilon`.
 *
 * @throws {PrivacyError} `NO_NOISE_MULTIPLIER` when 10,000 is not enough.
 * @throws {RangeError} when `targetEpsilon` is not positive and finite, and as `epsilon` does.
 */
export function noiseMultiplierFor(
  targetEpsilon: number,
  delta: number,
  sampleRate: number,
  steps: number,
  accountant: Accountant,
): number {
  if (!(targetEpsilon > 0 && targetEpsilon < Infinity)) {
    throw new RangeError(`epsilon must be positive and finite, got ${targetEpsilon}`);
  }
  const trial = (noiseMultiplier: number): Trial => {
    const spent = epsilon([{ sampleRate, noiseMultiplier, steps }], delta, accountant);
    return {
      noiseMultiplier,
      isEnough: spent <= targetEpsilon,
      excess: Math.log(spent / targetEpsilon),
    };
  };

  let enough = trial(1);
  let tooLittle = enough;
  while (!enough.isEnough) {
    if (enough.noiseMultiplier >= searched.largest) {
      throw new PrivacyError(
        'NO_NOISE_MULTIPLIER',
        `${steps} steps at sample rate ${sampleRate} do not reach epsilon ${targetEpsilon} at delta ${delta}, even with noise multiplier ${searched.largest}`,
      );
    }
    tooLittle = enough;
    enough = trial(Math.min(searched.largest, 2 * enough.noiseMultiplier));
  }
  while (tooLittle.isEnough) {
    if (tooLittle.noiseMultiplier <= searched.smallest) return tooLittle.noiseMultiplier;
    enough = tooLittle;
    tooLittle = trial(Math.max(searched.smallest, enough.noiseMultiplier / 2));
  }

  for (let i = 0; enough.noiseMultiplier > tooLittle.noiseMultiplier * (1 + tolerance); i++) {
    const next = trial(between(tooLittle, enough, i));
    if (next.isEnough) enough = next;
    else tooLittle = next;
  }
  return enough.noiseMultiplier;
}

interface Trial {
  readonly noiseMultiplier: number;
  readonly isEnough: boolean;
  /** By how much log ε is above what it should be: close to linear in log σ. */
  readonly excess: number;
}

/**
 * Where to try next: in turns just above and just below the root of the line through both ends, so that both close in on it, and in the
 * middle, so that a curve that is far from a line does not hold it up.
 */
function between(tooLittle: Trial, enough: Trial, turn: number): number {
  const low = Math.log(tooLittle.noiseMultiplier);
  const width = Math.log(enough.noiseMultiplier) - low;
  const part = tooLittle.excess / (tooLittle.excess - enough.excess);
  if (turn % 3 === 2 || !(part > 0 && part < 1)) return Math.exp(low + width / 2);
  const aside = (turn % 3 === 0 ? tolerance : -tolerance) / 3;
  const margin = Math.min(tolerance / 4, width / 4);
  return Math.exp(low + Math.min(width - margin, Math.max(margin, part * width + aside)));
}
