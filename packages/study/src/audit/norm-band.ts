import { falseAlarm } from './noise-floor.ts';
import { type NoiseTerms, updateStdDev } from './noise-terms.ts';
import type { UpdateNoise } from './update-noise.ts';

/** A site may have more patients than it declares, since it declares a rounded number; no more than this many times. */
const cohortAllowance = 2;

/**
 * The largest norm that the gradients of an update can have had, apart from noise, but for the given probability.
 *
 * Each drawn patient adds at most C to a step's sum. How many are drawn over all steps is binomial; Bernstein's inequality bounds it, and nobody is drawn more than once a step.
 */
export function largestSignal(
  { learningRate, sampleRate, clipNorm }: NoiseTerms,
  {
    steps,
    mostPatients,
    leastPatients,
  }: Pick<UpdateNoise, 'leastPatients' | 'mostPatients' | 'steps'>,
  probability: number = falseAlarm / 2,
): number {
  const trials = steps * cohortAllowance * mostPatients;
  const mean = trials * sampleRate;
  const x = Math.log(1 / probability);
  const drawn = Math.min(trials, mean + x / 3 + Math.sqrt((x / 3) ** 2 + 2 * mean * x));
  return (learningRate * clipNorm * drawn) / (sampleRate * leastPatients);
}

/**
 * The largest norm that an honest update has, but for the false alarm: signal, noise, and rounding.
 *
 * @param coarsestStep the coarsest that its site has rounded a payload to so far: what that left over is in the update too
 * @see Laurent and Massart 2000, Adaptive Estimation of a Quadratic Functional by Model Selection, lemma 1, for the noise
 */
export function largestNorm(
  terms: NoiseTerms,
  noise: UpdateNoise,
  { coarsestStep, floatError }: { readonly coarsestStep: number; readonly floatError: number },
): number {
  const { coordinates } = terms;
  const x = Math.log(2 / falseAlarm);
  const squares = coordinates + 2 * Math.sqrt(coordinates * x) + 2 * x;
  const stdDev = updateStdDev(terms, noise.steps, noise.leastPatients);
  const rounding = Math.sqrt(coordinates) * (2 * coarsestStep + floatError);
  return largestSignal(terms, noise) + stdDev * Math.sqrt(squares) + rounding;
}
