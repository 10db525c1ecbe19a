export {
  createTrainer,
  type Trainer,
  TrainerError,
  type TrainerErrorCode,
  type TrainerInit,
} from './trainer.ts';
export type { CohortSource, EvaluateResult, SlicePicture } from './training-messages.ts';
export type { Status } from './views.ts';
