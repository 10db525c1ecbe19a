import type { Mask, Patient } from '@consilium/imaging';
import { type Estimate, estimate } from './bootstrap.ts';
import { atLeast, dice } from './dice.ts';
import { ModelError } from './error.ts';
import { falsePerSlice, matchLesions, sensitivityAt } from './lesion-matching.ts';
import { type Prediction, readingThreshold } from './predict.ts';

/** What one patient's prediction is worth. Null: the figure does not exist for this patient (no lesion in the truth). */
export interface PatientMetrics {
  /** Dice of the reading (`lesion` from `readingThreshold`) over the whole scan, without knowing the true lung. */
  readonly dice: number | null;
  /** Dice within the true lung, of `lesionInLung` from ½: what the model finds when it is told the lung. */
  readonly diceInLung: number | null;
  /** Dice of the lung that the model finds: `lung` from ½, and what it reads as lesion. */
  readonly lungDice: number | null;
  /** Share of true lesions (slice by slice) found at {@link allowedPerSlice} false candidates a slice; any overlap counts. */
  readonly sensitivityLenient: number | null;
  /** The same where only intersection over union ≥ 0.5 counts. */
  readonly sensitivityStrict: number | null;
  /** Candidates a slice that are false under each rule, with all candidates kept. */
  readonly falsePerSliceLenient: number;
  readonly falsePerSliceStrict: number;
  /** Lesion ÷ lung, in [0, 1], inside the model's own lung and inside the true lung. */
  readonly burden: number;
  readonly burdenTruth: number;
  /** |burden − burdenTruth|. */
  readonly burdenError: number;
}

export type MetricName = keyof PatientMetrics;

/** The figures that describe a cohort, each with its interval. Nothing in it belongs to one patient. */
export interface CohortMetrics {
  readonly patients: number;
  readonly metrics: { readonly [name in MetricName]: Estimate };
  /** The model marks (almost) nothing anywhere: less than 1 % of the true lesion voxels, though there are lesions. */
  readonly collapsed: boolean;
}

/** False candidates a slice at which sensitivity is read. */
export const allowedPerSlice = 1;

const metricNames = [
  'dice',
  'diceInLung',
  'lungDice',
  'sensitivityLenient',
  'sensitivityStrict',
  'falsePerSliceLenient',
  'falsePerSliceStrict',
  'burden',
  'burdenTruth',
  'burdenError',
] as const satisfies readonly MetricName[];

/** The figures of one patient, with the counts that the cohort's check for collapse needs. */
export interface PatientEvaluation {
  readonly metrics: PatientMetrics;
  readonly lesionVoxels: number;
  readonly markedVoxels: number;
}

/** @throws {ModelError} `MASK_MISSING` when the patient has no lung or no lesion mask. */
export function evaluatePatient(patient: Patient, prediction: Prediction): PatientEvaluation {
  const { lung, lesion } = masksOf(patient);
  const { size } = patient.scan;
  const marked = atLeast(prediction.lesion, readingThreshold);
  // What is read as lesion is lung, whatever the lung's own output makes of dense tissue.
  const ownLung = atLeast(prediction.lung, 0.5).map((value, i) => value | (marked[i] as number));
  const matched = matchLesions(prediction.lesion, lesion.voxels, size, {
    threshold: readingThreshold,
  });
  const burden = shareOf(marked, ownLung);
  const burdenTruth = shareOf(lesion.voxels, lung.voxels);
  return {
    metrics: {
      dice: dice(marked, lesion.voxels),
      diceInLung: dice(atLeast(prediction.lesionInLung, 0.5), lesion.voxels, lung.voxels),
      lungDice: dice(ownLung, lung.voxels),
      sensitivityLenient: sensitivityAt(matched, allowedPerSlice, 'lenient'),
      sensitivityStrict: sensitivityAt(matched, allowedPerSlice, 'strict'),
      falsePerSliceLenient: falsePerSlice(matched, 'lenient'),
      falsePerSliceStrict: falsePerSlice(matched, 'strict'),
      burden,
      burdenTruth,
      burdenError: Math.abs(burden - burdenTruth),
    },
    lesionVoxels: countOf(lesion.voxels),
    markedVoxels: countOf(marked),
  };
}

/** Means over the patients with 95 % bootstrap intervals by patient, drawn from `seed`. */
export function summarise(evaluations: readonly PatientEvaluation[], seed: number): CohortMetrics {
  const metrics = Object.fromEntries(
    metricNames.map((name) => [
      name,
      estimate(
        evaluations.map((evaluation) => evaluation.metrics[name]),
        seed,
      ),
    ]),
  ) as { [name in MetricName]: Estimate };
  const truth = evaluations.reduce((sum, { lesionVoxels }) => sum + lesionVoxels, 0);
  const marked = evaluations.reduce((sum, { markedVoxels }) => sum + markedVoxels, 0);
  return {
    patients: evaluations.length,
    metrics,
    collapsed: truth > 0 && marked < truth * 0.01,
  };
}

function masksOf({ lung, lesion }: Patient): { lung: Mask; lesion: Mask } {
  if (lung === null || lesion === null) {
    throw new ModelError('MASK_MISSING', 'an evaluation needs the lung and the lesion mask');
  }
  return { lung, lesion };
}

/** The share of `within` that `part` covers; 0 where there is nothing to cover. */
function shareOf(part: Uint8Array, within: Uint8Array): number {
  let covered = 0;
  let all = 0;
  for (let i = 0; i < within.length; i++) {
    if (within[i] !== 0) {
      all += 1;
      covered += part[i] === 0 ? 0 : 1;
    }
  }
  return all === 0 ? 0 : covered / all;
}

function countOf(mask: Uint8Array): number {
  let count = 0;
  for (const value of mask) {
    count += value === 0 ? 0 : 1;
  }
  return count;
}
