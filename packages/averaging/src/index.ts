export { AveragingError, type AveragingErrorCode } from './error.ts';
export {
  type AggregationRule,
  type Contribution,
  RunningMean,
  weightedMean,
} from './weighted-mean.ts';
