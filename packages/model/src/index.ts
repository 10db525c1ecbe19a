export type { OptimizerState } from '@consilium/compute';
export { type Estimate, estimate } from './bootstrap.ts';
export { calibrationInputs } from './calibration.ts';
export { atLeast, dice } from './dice.ts';
export { type Batch, drawBatch } from './draw-batch.ts';
export { drawPatientSlices } from './draw-patient.ts';
export { ModelError, type ModelErrorCode } from './error.ts';
export {
  allowedPerSlice,
  type CohortMetrics,
  evaluatePatient,
  type MetricName,
  type PatientEvaluation,
  type PatientMetrics,
  summarise,
} from './evaluate.ts';
export { fuse } from './fuse.ts';
export {
  type Candidate,
  falsePerSlice,
  type MatchedScan,
  type MatchingOptions,
  matchLesions,
  sensitivityAt,
} from './lesion-matching.ts';
export {
  createLesionModel,
  type LesionModel,
  type LesionModelInit,
} from './lesion-model.ts';
export type { MicrobatchReduced } from './microbatch.ts';
export {
  forwardGraph,
  initialWeights,
  lossGraph,
  networkLayout,
  patientLossGraph,
} from './network.ts';
export type { PatientLearner } from './patient-learner.ts';
export {
  type Prediction,
  type PredictOptions,
  predict,
  predictSlices,
  readingThreshold,
} from './predict.ts';
export {
  type PreparedPatient,
  type PreparedScan,
  preparePatient,
  prepareScan,
} from './prepare.ts';
export { decodePretrained, encodePretrained, pretrainedFile } from './pretrained.ts';
export {
  type PrivateTrainingSpec,
  type PrivateTrainProgress,
  type TrainPrivatelyInit,
  type TrainPrivatelyResult,
  trainPrivately,
} from './private-train.ts';
export { readAhead } from './read-ahead.ts';
export { type Seeded, seeded } from './seeded.ts';
export {
  type AugmentationSpec,
  defaultTask,
  type InputSpec,
  type LesionTask,
  type NetworkSpec,
  parseTask,
  privateTask,
  smallTask,
  type TrainingSpec,
} from './task.ts';
export {
  type TrainProgress,
  type TrainStepsInit,
  type TrainStepsResult,
  trainSteps,
} from './train.ts';
export { type TrainablePart, trainableParts, trainableTensors } from './trainable.ts';
export { learningRateAt } from './training-step.ts';
