import type { EngineName } from '@consilium/compute';
import type {
  CohortMetrics,
  LesionTask,
  MicrobatchReduced,
  OptimizerState,
  PatientMetrics,
  TrainProgress,
} from '@consilium/model';
import type { MechanismSpec } from '@consilium/privacy';

/** Where the training process finds patients. It reads them itself: no scan ever passes through the node's own process. */
export type CohortSource =
  | {
      readonly kind: 'phantom';
      /** Name of the scanner profile. */
      readonly profile: string;
      readonly patients: number;
      readonly seed: number;
      /** Voxels along x, y and z. @default 128 × 128 × 24 */
      readonly size?: readonly [width: number, height: number, depth: number];
    }
  | {
      readonly kind: 'png';
      readonly folder: string;
      readonly patients: readonly string[];
      /** Patients whose slices are stored upside down, as the site's data steward declares. @default none */
      readonly flippedTopToBottom?: readonly string[];
    };

/** Which engine the process computes with. */
export interface ComputeChoice {
  /** @default 'onnx-cpu' */
  readonly engine?: EngineName;
  /** @default 1 */
  readonly threads?: number;
  /** See `EngineOptions`. @default false */
  readonly allowSoftware?: boolean;
}

/** How a training is private. */
export interface PrivateTraining {
  readonly mechanism: MechanismSpec;
  /** Slices that stand for a drawn patient in one step. */
  readonly slicesPerPatient: number;
  /** Shared tensors that are trained. */
  readonly trainable: readonly string[];
  /** Patients that the site has declared: with fewer, nothing is read. */
  readonly declaredPatients: number;
}

/** Whether engine and weights are sound; no patient is looked at. */
export interface CheckJob {
  readonly task: LesionTask;
  readonly weights: Float32Array;
}

export interface TrainJob {
  readonly task: LesionTask;
  /** The whole vector, site-local tensors included. */
  readonly weights: Float32Array;
  /** What the last training returned; null starts a fresh optimizer. */
  readonly optimizerState: OptimizerState | null;
  readonly steps: number;
  readonly seed: number;
  readonly cohort: CohortSource;
  /** Null trains without differential privacy. */
  readonly privacy: PrivateTraining | null;
}

export interface TrainResult {
  readonly weights: Float32Array;
  readonly optimizerState: OptimizerState;
  readonly steps: number;
}

export interface EvaluateJob {
  readonly task: LesionTask;
  /** One whole vector, or several for an ensemble. */
  readonly weights: Float32Array | readonly Float32Array[];
  readonly cohort: CohortSource;
  /** Averages over the mirror images of each scan: four times the work. @default false */
  readonly mirrored?: boolean;
  /** Seed of the bootstrap intervals. @default 0 */
  readonly seed?: number;
  /**
   * Also hands back each patient's figures, for a person at the site itself. They must not be sent or logged.
   * @default false
   */
  readonly perPatient?: boolean;
}

export interface EvaluateResult {
  readonly summary: CohortMetrics;
  /** Empty unless asked for; in the order of the cohort. */
  readonly patients: readonly PatientMetrics[];
}

export interface PicturesJob {
  readonly task: LesionTask;
  readonly weights: Float32Array;
  readonly cohort: CohortSource;
  /** How many patients, from the first, and how many slices of each: those with most lesion. */
  readonly patients: number;
  readonly slicesEach: number;
}

/** One slice for people to look at, on the scan's own grid. Stays at the site. */
export interface SlicePicture {
  /** Place of the patient in the cohort, from 0, and of the slice in the scan. */
  readonly patient: number;
  readonly slice: number;
  readonly width: number;
  readonly height: number;
  /** Grey 0…255: the task's HU window, or the stored grey values. */
  readonly grey: Uint8Array;
  readonly truth: { readonly lung: Uint8Array; readonly lesion: Uint8Array };
  /** 0/1: what the model takes for lung, and what it reads as lesion. */
  readonly predicted: { readonly lung: Uint8Array; readonly lesion: Uint8Array };
}

export interface Jobs {
  check: { job: CheckJob; result: null };
  train: { job: TrainJob; result: TrainResult };
  evaluate: { job: EvaluateJob; result: EvaluateResult };
  pictures: { job: PicturesJob; result: readonly SlicePicture[] };
}
export type JobKind = keyof Jobs;

/** A step of a job: of `total` steps or patients, `done` are through; training without privacy tells its loss as well. Never leaves the site. */
export interface JobProgress {
  readonly done: number;
  readonly total: number;
  readonly training?: TrainProgress;
}

export type ToProcess =
  | { [K in JobKind]: { kind: K; id: number; job: Jobs[K]['job'] } }[JobKind]
  | { kind: 'start'; compute: ComputeChoice; priority: number; cacheBytes: number }
  | { kind: 'abort'; id: number };

export type FromProcess =
  | { kind: 'progress'; id: number; progress: JobProgress }
  /** Memory held fewer samples at once than a batch has; of no single job. */
  | { kind: 'reduced'; reduced: MicrobatchReduced }
  | { kind: 'result'; id: number; result: Jobs[JobKind]['result'] }
  | { kind: 'failure'; id: number; name: string; code: string | null; message: string };
