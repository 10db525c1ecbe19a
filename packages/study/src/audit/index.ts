export type { AuditFinding, AuditFindingCode } from './audit-finding.ts';
export type { AuditOptions, AuditProgress } from './audit-progress.ts';
export type { AuditedMember, AuditedRound, AuditReport } from './audit-report.ts';
export { Bundle, type BundleBytes } from './bundle.ts';
export { type BundleFile, openBundleFile } from './bundle-file.ts';
export type { BundleIndex, IndexedFile } from './bundle-index.ts';
export {
  type BundleBlobs,
  type BundleOutline,
  type BundleParts,
  outlineBundle,
  type PlannedBundle,
  type PlannedFile,
} from './plan-bundle.ts';
export { reportHtml } from './report-html.ts';
export { outcomeOf, reportText } from './report-text.ts';
export type { Verdict, VerdictName, VerdictStatus } from './verdict.ts';
export { type VerifyInit, verifyBundle } from './verify-bundle.ts';
export { bundleBytes, type ResumePoint, resumePoint } from './write-bundle.ts';
