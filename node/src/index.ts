export { foundStudy, type StudyPlan } from './founding.ts';
export type { Logger } from './logger.ts';
export { type Activity, Site, type SiteComponents, type SiteInit } from './site.ts';
export {
  createTrainer,
  type Trainer,
  TrainerError,
  type TrainerErrorCode,
  type TrainerInit,
} from './trainer.ts';
export type { CohortSource, EvaluateResult, SlicePicture } from './training-messages.ts';
export type { TrainingState, TrainingStore } from './training-store.ts';
export type { Status } from './views.ts';
