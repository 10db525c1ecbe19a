export type { Activity } from './activity.ts';
export { systemClock } from './clock.ts';
export { foundStudy, type StudyPlan } from './founding.ts';
export type { Logger } from './logger.ts';
export { Outbox } from './outbox.ts';
export { OwnLog, type OwnLogInit } from './own-log.ts';
export { type PrivacyDemand, type PrivacyPlan, policyFor } from './privacy-plan.ts';
export { RecordIntake } from './record-intake.ts';
export { privateTraining } from './reservation.ts';
export { Site, type SiteComponents, type SiteInit } from './site.ts';
export {
  createTrainer,
  type Trainer,
  TrainerError,
  type TrainerErrorCode,
  type TrainerInit,
} from './trainer.ts';
export type { CohortSource, EvaluateResult, SlicePicture } from './training-messages.ts';
export { openTrainingStore, type TrainingState, type TrainingStore } from './training-store.ts';
export type { Status } from './views.ts';
