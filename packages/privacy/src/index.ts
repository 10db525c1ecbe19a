export { type Budget, createBudget } from './budget.ts';
export { noiseMultiplierFor } from './calibrate.ts';
export { createDiscreteGaussian, type IntegerNoise } from './discrete-gaussian.ts';
export { type Accountant, type EpsilonInit, epsilon } from './epsilon.ts';
export { PrivacyError, type PrivacyErrorCode } from './error.ts';
export type { PrivacyEvent } from './event.ts';
export {
  createMechanism,
  type MechanismSpec,
  type MechanismStep,
  oneByOne,
  type PrivateMechanism,
} from './mechanism.ts';
export { checkPolicy, type PolicyTerms, policyLimits } from './policy.ts';
export { type Profile, type ProfileName, profiles } from './profiles.ts';
export { defaultOrders, type RdpCurve, rdp, rdpCurve } from './rdp.ts';
export { type RdpSpending, rdpEpsilon } from './rdp-epsilon.ts';
