export {
  type AnswerClaim,
  digestHeader,
  formatDigest,
  nonceHeader,
  noncePattern,
  signAnswer,
  signatureHeader,
  verifyAnswer,
} from './answer-signature.ts';
export type {
  ConsensusAnswer,
  DiffAnswer,
  EvaluationCell,
  EvaluationsAnswer,
  FindingsAnswer,
  HeadsAnswer,
  LineageAnswer,
  MembersAnswer,
  ParticipationAnswer,
  PrivacyAnswer,
  Problem,
  ProofAnswer,
  StateAnswer,
  StateEvent,
  StateOutline,
  StatesAnswer,
  StudyAnswer,
} from './answers.ts';
export { type Client, createClient, type StateName } from './client.ts';
export {
  type Operation,
  type OperationName,
  operations,
  type ParametersOf,
  type Role,
  roles,
  stateName,
  type WeightsFormat,
  weightsMediaTypes,
} from './contract.ts';
export type { Download, DownloadOptions } from './download.ts';
export { ClientError, type ClientErrorCode, type RefusedProblem } from './error.ts';
export type { AskOptions, ClientComponents, NodeAddress } from './exchange.ts';
export { openApi } from './openapi.ts';
export type { ProvenRecord } from './record-proof.ts';
export type { StateWeights } from './state-weights.ts';
