export type { AcceptedUpdate, RecordedEvaluation } from './decide.ts';
export { StudyError, type StudyErrorCode } from './error.ts';
export type { Finding, FindingCode } from './finding.ts';
export { type Founding, found } from './manifest.ts';
export { type MemberState, type RoundState, replay, StudyFold, type StudyState } from './replay.ts';
export type { BlobReader } from './sum.ts';
