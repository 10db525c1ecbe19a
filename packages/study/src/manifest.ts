import type { ManifestBody, SiteId } from '@consilium/records';
import { createLayout, type Layout, payloadBytes } from '@consilium/weights';
import { StudyError } from './error.ts';

/** A manifest whose promises the fold has checked once, with what follows from it. */
export interface Founding {
  readonly manifest: ManifestBody;
  /** The shared tensors; what every update and every state is laid out as. */
  readonly layout: Layout;
  /** How much each trainer's update counts: its declared cohort, at most four times the median. */
  readonly weightOf: ReadonlyMap<SiteId, number>;
  /** Records of one site that count: several times what an honest one has to say. More would only fill memory. */
  readonly recordLimit: number;
}

/** The largest sum of weights for which the mean is exact; see `weightedMean`. */
const largestTotal = 2 ** 22;

/**
 * Checks what the record's schema leaves to the study: that the initial weights fit the layout, and that the mean stays exact.
 * @throws {StudyError} `BAD_MANIFEST`, saying which promise it breaks.
 */
export function found(manifest: ManifestBody): Founding {
  const layout = createLayout(manifest.layout);
  const trainers = manifest.roster.filter(({ role }) => role === 'trainer');
  if (manifest.initialWeights.bytes !== payloadBytes(layout, 32)) {
    throw bad(
      `initial weights of ${manifest.initialWeights.bytes} bytes, the layout needs ${payloadBytes(layout, 32)}`,
    );
  }
  const cap = 4 * lowerMedian(trainers.map(({ patients }) => patients));
  const weightOf = new Map(trainers.map(({ site, patients }) => [site, Math.min(patients, cap)]));
  const total = [...weightOf.values()].reduce((sum, weight) => sum + weight, 0);
  if (total > largestTotal) throw bad(`cohorts sum to ${total}, at most ${largestTotal}`);
  return { manifest, layout, weightOf, recordLimit: 64 + 8 * manifest.rounds.count };
}

function lowerMedian(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] as number;
}

function bad(message: string): StudyError {
  return new StudyError('BAD_MANIFEST', message);
}
