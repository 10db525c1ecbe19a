export { auditSeeds, claimOf, fullBatchRun, type LowerBounds, sampledRun } from './canary-audit.ts';
export { attackClipped, attackGradient, attackReleases } from './dense-inversion.ts';
export {
  aThirdOfTheNoise,
  correct,
  everybodyInEveryStep,
  plantedBugs,
} from './implementations.ts';
export { attackWithoutPrivacy, attackWithPrivacy } from './membership.ts';
