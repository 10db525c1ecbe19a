import { chiSquareCdf } from './chi-square.ts';
import { type NoiseTerms, updateStdDev } from './noise-terms.ts';
import type { UpdateNoise } from './update-noise.ts';

/** With at most this probability an honest update, or an honest site, fails one test. */
export const falseAlarm = 0.000_001;
/** Tensors with fewer values are not looked at by themselves: hardly anything could be told. */
const leastCoordinates = 1_000;

/** A set of values of one or several updates that hold less than the noise which their site claims. */
export interface Shortfall {
  /** What was looked at: a tensor's name, or null for all trained tensors. */
  readonly tensor: string | null;
  readonly coordinates: number;
  /** Second moment, divided by the claimed noise's: at least 1 is expected. */
  readonly share: number;
  /** How probable so little is, at most, when the noise is as claimed. */
  readonly probability: number;
}

/**
 * What of an update is below its noise floor.
 *
 * The noise z of an update is independent of everything before it, so what training adds to it makes a noncentral χ² of the sum of squares, which is never
 * stochastically below the central one. Two roundings come on top: that to the payload, unbiased given the value, by less than a step (Hoeffding bounds what it takes away),
 * and that of float32 weights, by less than `floatError` a value.
 *
 * Of several steps the later gradients have seen the earlier noise; what they could take back of it is not allowed for. One step is exact.
 */
export function shortfalls(terms: NoiseTerms, noise: UpdateNoise, floatError: number): Shortfall[] {
  const whole = shortfall(null, [
    partOf(terms, noise, noise.squares, terms.coordinates, floatError),
  ]);
  const large = terms.trained.flatMap(({ name, length }, i) =>
    length < leastCoordinates || length === terms.coordinates
      ? []
      : { name, length, squares: noise.tensorSquares[i] as number },
  );
  const ofTensors = large.map(({ name, length, squares }) =>
    shortfall(name, [partOf(terms, noise, squares, length, floatError)], large.length),
  );
  return [whole, ...ofTensors].filter((each) => each !== null);
}

/** Whether all of a site's updates together are below the floor: too little noise shows sooner over many rounds. */
export function siteShortfall(
  terms: NoiseTerms,
  noises: readonly UpdateNoise[],
  floatError: number,
): Shortfall | null {
  const parts = noises.map((noise) =>
    partOf(terms, noise, noise.squares, terms.coordinates, floatError),
  );
  return shortfall(null, parts);
}

/** How many tests {@link shortfalls} makes of one update, each with {@link falseAlarm} in all. */
export function testsOfUpdate({ trained, coordinates }: NoiseTerms): number {
  const hasLarge = trained.some(({ length }) => length >= leastCoordinates && length < coordinates);
  return hasLarge ? 2 : 1;
}

interface Part {
  readonly coordinates: number;
  /** The claimed standard deviation. */
  readonly stdDev: number;
  /** Sum of squares as published, and a bound on what float32 took from its root. */
  readonly squares: number;
  readonly floatLoss: number;
  readonly step: number;
}

function partOf(
  terms: NoiseTerms,
  { steps, mostPatients, coarsestStep }: UpdateNoise,
  squares: number,
  coordinates: number,
  floatError: number,
): Part {
  return {
    coordinates,
    stdDev: updateStdDev(terms, steps, mostPatients),
    squares,
    floatLoss: Math.sqrt(coordinates) * floatError,
    step: coarsestStep,
  };
}

/** Null when the values may well hold the claimed noise. `among`: how many such tests share one false alarm. */
function shortfall(tensor: string | null, parts: readonly Part[], among = 1): Shortfall | null {
  const coordinates = parts.reduce((sum, part) => sum + part.coordinates, 0);
  if (coordinates < 20) return null;
  const allowed = falseAlarm / among;
  // Half of it for the roundings of all parts, half for the noise.
  const rounding = allowed / 2 / parts.length;
  const most = parts.reduce((sum, part) => sum + unrounded(part, rounding) / part.stdDev ** 2, 0);
  if (most >= coordinates) return null;
  const probability = chiSquareCdf(coordinates, most);
  if (probability > allowed / 2) return null;
  const got = parts.reduce((sum, part) => sum + part.squares / part.stdDev ** 2, 0);
  return { tensor, coordinates, share: got / coordinates, probability };
}

/**
 * The most that the sum of squares was before the roundings, but for the given probability: with M that sum, Σ m_i e_i of the payload's rounding errors is below
 * −√(M ln(1 / probability) / 2) steps with no larger probability, and so S ≥ M − step √(2 M ln(1 / probability)).
 */
function unrounded({ squares, floatLoss, step }: Part, probability: number): number {
  const loss = step * Math.sqrt(2 * Math.log(1 / probability));
  return ((loss + Math.sqrt(loss * loss + 4 * squares)) / 2 + floatLoss) ** 2;
}
