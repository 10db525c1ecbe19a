export {
  decodeCanonical,
  encodeCanonical,
  type PlainValue,
} from './canonical-cbor.ts';
export { sign, verifyStrictly } from './ed25519.ts';
export {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  MAX_ENVELOPE_BYTES,
} from './envelope.ts';
export { type EquivocationBody, MAX_EVIDENCE_NOTE_BYTES } from './equivocation.ts';
export { RecordError, type RecordErrorCode } from './error.ts';
export type { EvaluationBody, Metric } from './evaluation.ts';
export { loadKey, saveKey } from './key-file.ts';
export type {
  BlobReference,
  ManifestBody,
  RosterEntry,
  SiteRole,
} from './manifest.ts';
export { pae, recordId } from './pae.ts';
export type {
  NoPrivacy,
  PrivacyPolicy,
  PrivatePolicy,
  PrivateProfile,
} from './privacy-policy.ts';
export {
  type ConsiliumRecord,
  type KnownKind,
  type LogHead,
  payloadTypeOf,
  type RecordBodies,
  type RecordDraft,
  type RecordHeader,
  type RecordOf,
  type UnknownRecord,
} from './record.ts';
export type { ReserveBody } from './reserve.ts';
export {
  approveRosterChange,
  isApprovedBy,
  rosterChangeId,
  rosterChangeMessage,
} from './roster-approval.ts';
export {
  checkProposedChange,
  checkRosterChange,
  type LogPosition,
  type ProposedChange,
  type RosterApproval,
  type RosterChange,
  type RosterChangeBody,
} from './roster-change.ts';
export {
  consentToRotation,
  isConsented,
  type RotationBody,
  type RotationPlace,
  rotationMessage,
} from './rotation.ts';
export {
  type LogPlace,
  logPlaceOf,
  openRecord,
  signRecord,
  type VerifiedRecord,
} from './signed-record.ts';
export { publicKeyOf, type SiteId, siteIdOf } from './site-id.ts';
export { generateKey, keyFromSeed, type SiteKey } from './site-key.ts';
export type { PaidPrivacy, UpdateBody } from './update.ts';
