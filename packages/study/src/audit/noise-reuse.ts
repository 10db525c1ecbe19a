import { falseAlarm } from './noise-floor.ts';
import { type NoiseTerms, updateStdDev } from './noise-terms.ts';
import { largestSignal } from './norm-band.ts';
import type { UpdateNoise } from './update-noise.ts';

/** Two updates that may share their noise, and how large their inner product may be when they do not. */
export interface SuspectPair {
  readonly one: UpdateNoise;
  readonly other: UpdateNoise;
  /** As a share of the product of their norms. */
  readonly mostCorrelation: number;
}

export interface PairSearch {
  readonly suspects: readonly SuspectPair[];
  /** Pairs that were compared. */
  readonly compared: number;
  /** Pairs whose noise is too weak beside what gradients may be: alike signals would look the same. */
  readonly tooWeak: number;
}

/**
 * Looks for updates that share noise, among those of one site and those of one round.
 *
 * Let b be the one of two updates that was made later. Its noise z is independent of the other, a, so ⟨a, z⟩ is normal with deviation s‖a‖; its gradients add at most
 * ‖a‖ · `largestSignal`. An inner product above both together cannot come from like patients and like weights: the noise is shared. Which of two was made later nobody knows, so that
 * a pair is suspected only if it would be either way. Where signal may be as large as noise nothing can be told, and equal payloads alone are seen.
 *
 * Here pairs are sieved by their sketches, generously; {@link isShared} then decides on the updates themselves.
 */
export function searchPairs(
  terms: NoiseTerms,
  noises: readonly UpdateNoise[],
  floatError: number,
): PairSearch {
  const pairs = pairsOf(noises);
  const suspects: SuspectPair[] = [];
  let tooWeak = 0;
  for (const [one, other] of pairs) {
    const mostCorrelation = Math.max(
      reach(terms, one, pairs.length, floatError),
      reach(terms, other, pairs.length, floatError),
    );
    if (mostCorrelation >= 1) tooWeak++;
    else if (Math.abs(estimated(one, other)) > mostCorrelation - sieveMargin) {
      suspects.push({ one, other, mostCorrelation });
    }
  }
  return { suspects, compared: pairs.length - tooWeak, tooWeak };
}

/** Six standard deviations of the sketches' estimate. */
const sieveMargin = 0.2;

/** Whether two updates share noise, by their inner product over the trained tensors. */
export function isShared({ one, other, mostCorrelation }: SuspectPair, product: number): boolean {
  return Math.abs(product) > mostCorrelation * Math.sqrt(one.squares * other.squares);
}

/** The inner product of two updates' trained values. */
export function innerProduct({ trained }: NoiseTerms, a: Float64Array, b: Float64Array): number {
  let product = 0;
  for (const { offset, length } of trained) {
    for (let i = offset; i < offset + length; i++) product += (a[i] as number) * (b[i] as number);
  }
  return product;
}

/** How far the later of two updates may lie along the other one, as a share of its own norm. */
function reach(terms: NoiseTerms, noise: UpdateNoise, pairs: number, floatError: number): number {
  const probability = falseAlarm / pairs;
  const signal = largestSignal(terms, noise, probability / 2);
  const deviations = Math.sqrt(2 * Math.log(4 / probability));
  const stdDev = updateStdDev(terms, noise.steps, noise.leastPatients);
  const rounding = Math.sqrt(terms.coordinates) * (2 * noise.coarsestStep + floatError);
  return (signal + deviations * stdDev + rounding) / Math.sqrt(noise.squares);
}

function pairsOf(noises: readonly UpdateNoise[]): [UpdateNoise, UpdateNoise][] {
  return noises.flatMap((one, i) =>
    noises
      .slice(i + 1)
      .filter(({ update }) => update.site === one.update.site || update.round === one.update.round)
      .map((other): [UpdateNoise, UpdateNoise] => [one, other]),
  );
}

/** The correlation of two updates, by their sketches. */
function estimated({ sketch: a }: UpdateNoise, { sketch: b }: UpdateNoise): number {
  let [product, ofA, ofB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    product += x * y;
    ofA += x * x;
    ofB += y * y;
  }
  return product / Math.sqrt(ofA * ofB);
}
