import { type Budget, checkPolicy, createBudget, PrivacyError } from '@consilium/privacy';
import type { ManifestBody } from '@consilium/records';
import { createLayout, type Layout, payloadBytes } from '@consilium/weights';
import { StudyError } from './error.ts';

/** A manifest whose promises the fold has checked once, with what follows from it. */
export interface Founding {
  readonly manifest: ManifestBody;
  /** The shared tensors; what every update and every state is laid out as. */
  readonly layout: Layout;
  /** The most that one site's update counts, for the whole study: four times the lower median of the founding trainers' cohorts. */
  readonly weightCap: number;
  /** What private steps cost; null where the study promises no privacy. */
  readonly budget: Budget | null;
  /** For each value of the layout, 1 when nobody may train it; null when all are trained. */
  readonly frozen: Uint8Array | null;
  /** Records of one site that count: several times what an honest one has to say. More would only fill memory. */
  readonly recordLimit: number;
}

/** The largest sum of weights for which the mean is exact; see `weightedMean`. */
export const largestTotal: number = 2 ** 22;

/**
 * Checks what the record's schema leaves to the study: that the initial weights fit the layout, that the mean stays exact, and that the
 * privacy policy keeps the promise that its profile names.
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
  const total = trainers.reduce((sum, { patients }) => sum + Math.min(patients, cap), 0);
  if (total > largestTotal) throw bad(`cohorts sum to ${total}, at most ${largestTotal}`);
  return {
    manifest,
    layout,
    weightCap: cap,
    budget: budgetOf(
      manifest,
      trainers.map(({ patients }) => patients),
    ),
    frozen: frozenOf(manifest, layout),
    recordLimit: 64 + 8 * manifest.rounds.count,
  };
}

function budgetOf({ privacy }: ManifestBody, cohorts: readonly number[]): Budget | null {
  if (privacy.profile === 'off') return null;
  try {
    checkPolicy(privacy, cohorts);
  } catch (cause) {
    if (!(cause instanceof PrivacyError)) throw cause;
    throw bad(`the privacy policy: ${cause.message}`, { cause });
  }
  return createBudget(privacy);
}

function frozenOf({ privacy }: ManifestBody, layout: Layout): Uint8Array | null {
  if (privacy.profile === 'off') return null;
  const trained = new Set(privacy.trainable);
  const frozen = new Uint8Array(layout.length);
  for (const { name, offset, length } of layout.tensors) {
    if (!trained.has(name)) frozen.fill(1, offset, offset + length);
  }
  return frozen;
}

function lowerMedian(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] as number;
}

function bad(message: string, options?: ErrorOptions): StudyError {
  return new StudyError('BAD_MANIFEST', message, options);
}
