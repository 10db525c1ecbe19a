import { componentsOf } from './components.ts';

/**
 * One region that the model marks in one slice. `lenient`: it touches a true lesion with at least one pixel.
 * `strict`: intersection over union with one true lesion is at least 0.5, each lesion matched once.
 */
export interface Candidate {
  /** Mean lesion probability over the region, in [0, 1]. */
  readonly score: number;
  readonly lenient: boolean;
  readonly strict: boolean;
  /** Numbers, in the scan, of the true lesions that this region finds under each rule. */
  readonly lenientLesions: readonly number[];
  readonly strictLesion: number | null;
}

/** All candidates of one scan beside the number of true lesions (counted slice by slice) and of slices. */
export interface MatchedScan {
  readonly candidates: readonly Candidate[];
  readonly lesions: number;
  readonly slices: number;
}

export interface MatchingOptions {
  /** Probability from which a pixel belongs to a candidate. @default 0.5 */
  threshold?: number;
  /** Smaller regions are neither candidates nor true lesions. @default 4 */
  minPixels?: number;
}

/**
 * Compares, slice by slice and in two dimensions, the regions that reach `threshold` with the true lesions.
 * A marking of the whole lung is lenient everywhere and strict nowhere: read the two side by side.
 */
export function matchLesions(
  probability: Float32Array,
  truth: Uint8Array,
  size: readonly [width: number, height: number, depth: number],
  options: MatchingOptions = {},
): MatchedScan {
  const { threshold = 0.5, minPixels = 4 } = options;
  const [width, height, depth] = size;
  const plane = width * height;
  const candidates: Candidate[] = [];
  let lesions = 0;
  for (let z = 0; z < depth; z++) {
    const values = probability.subarray(z * plane, (z + 1) * plane);
    const marked = Uint8Array.from(values, (value) => (value >= threshold ? 1 : 0));
    const trueRegions = componentsOf(
      truth.subarray(z * plane, (z + 1) * plane),
      width,
      height,
      minPixels,
    );
    const regions = componentsOf(marked, width, height, minPixels);
    candidates.push(...matchPlane(values, regions, trueRegions, lesions));
    lesions += trueRegions.count;
  }
  return { candidates, lesions, slices: depth };
}

function matchPlane(
  values: Float32Array,
  regions: ReturnType<typeof componentsOf>,
  truth: ReturnType<typeof componentsOf>,
  firstLesion: number,
): Candidate[] {
  const sums = new Float64Array(regions.count + 1);
  const overlap = new Float64Array((regions.count + 1) * (truth.count + 1));
  for (let i = 0; i < values.length; i++) {
    const region = regions.labels[i] as number;
    if (region !== 0) {
      sums[region] = (sums[region] as number) + (values[i] as number);
      const cell = region * (truth.count + 1) + (truth.labels[i] as number);
      overlap[cell] = (overlap[cell] as number) + 1;
    }
  }
  const order = Array.from({ length: regions.count }, (_, i) => i + 1).map((region) => ({
    region,
    score: (sums[region] as number) / (regions.pixels[region] as number),
  }));
  order.sort((a, b) => b.score - a.score);
  const taken = new Set<number>();
  return order.map(({ region, score }) => {
    const touched: number[] = [];
    let best: number | null = null;
    for (let lesion = 1; lesion <= truth.count; lesion++) {
      const shared = overlap[region * (truth.count + 1) + lesion] as number;
      if (shared === 0) {
        continue;
      }
      touched.push(firstLesion + lesion - 1);
      const union = (regions.pixels[region] as number) + (truth.pixels[lesion] as number) - shared;
      if (shared / union >= 0.5 && !taken.has(lesion)) {
        best = lesion;
      }
    }
    if (best !== null) {
      taken.add(best);
    }
    return {
      score,
      lenient: touched.length > 0,
      strict: best !== null,
      lenientLesions: touched,
      strictLesion: best === null ? null : firstLesion + best - 1,
    };
  });
}

/**
 * The share of true lesions found while at most `perSlice` false candidates a slice are kept: candidates are
 * taken in order of falling score until one more false one would exceed the allowance. Null without a lesion.
 */
export function sensitivityAt(
  scan: MatchedScan,
  perSlice: number,
  rule: 'lenient' | 'strict',
): number | null {
  if (scan.lesions === 0) {
    return null;
  }
  const found = new Set<number>();
  let falseOnes = 0;
  for (const candidate of [...scan.candidates].sort((a, b) => b.score - a.score)) {
    if (!candidate[rule]) {
      falseOnes += 1;
      if (falseOnes > perSlice * scan.slices) {
        break;
      }
    } else if (rule === 'lenient') {
      for (const lesion of candidate.lenientLesions) {
        found.add(lesion);
      }
    } else if (candidate.strictLesion !== null) {
      found.add(candidate.strictLesion);
    }
  }
  return found.size / scan.lesions;
}

/** How many candidates of the scan are false under the rule, a slice. */
export function falsePerSlice(scan: MatchedScan, rule: 'lenient' | 'strict'): number {
  return scan.candidates.filter((candidate) => !candidate[rule]).length / scan.slices;
}
