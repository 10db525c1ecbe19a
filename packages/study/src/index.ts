export type { AcceptedUpdate, RecordedEvaluation } from './decide.ts';
export type { Accusation } from './equivocation.ts';
export { StudyError, type StudyErrorCode } from './error.ts';
export type { Finding, FindingCode } from './finding.ts';
export { foldAt, type Heads, headsAt } from './history.ts';
export type { Spending } from './ledger.ts';
export { logKeyOf, logName, siteOfLog, verifyNote, witnessKeyOf } from './log-name.ts';
export { type Founding, found } from './manifest.ts';
export { type MemberState, type RoundState, replay, StudyFold, type StudyState } from './replay.ts';
export {
  approvalsNeeded,
  isRemoved,
  type KeySpan,
  type Member,
  openKey,
  type Roster,
  type Terms,
  termsNow,
  voters,
} from './roster.ts';
export type { AppliedChange, RosterHistory } from './roster-history.ts';
export { changed } from './roster-rules.ts';
export { approvers, hasApprovals } from './roster-votes.ts';
export type { Speech, Voice } from './speech.ts';
export type { BlobReader } from './sum.ts';
