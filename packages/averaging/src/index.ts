export { AveragingError, type AveragingErrorCode } from './error.ts';
export { type AggregationRule, type Contribution, weightedMean } from './weighted-mean.ts';
