export { type BlobStore, openBlobStore } from './blob-store.ts';
export type { LogHead } from './chain.ts';
export {
  type Checkpoint,
  encodeCheckpoint,
  formatCheckpoint,
  type LogSigner,
  openCheckpoint,
  parseCheckpoint,
  signCheckpoint,
  type VerifiedCheckpoint,
} from './checkpoint.ts';
export {
  bareNote,
  type Contradiction,
  contradictedSize,
  contradictionOf,
} from './contradiction.ts';
export {
  type Cosignature,
  cosign,
  openCosignature,
  openCosignatures,
  type WitnessSigner,
} from './cosignature.ts';
export type { EntryPlace, EntryReader } from './entry.ts';
export { LogError, type LogErrorCode } from './error.ts';
export {
  type AppendedEntry,
  type AppendResult,
  type ForkProof,
  type LogStore,
  openLogStore,
} from './log-store.ts';
export { type NoteStore, openNoteStore } from './note-store.ts';
export type { PartialBlob } from './partial-blob.ts';
export {
  type ConsistencyClaim,
  consistencyProof,
  type InclusionClaim,
  inclusionProof,
  verifyConsistency,
  verifyInclusion,
} from './proof.ts';
export type { LogRepair } from './recovery.ts';
export {
  checkNoteSignature,
  formatNote,
  formatNoteSignature,
  formatVerifierKey,
  type LogKey,
  MAX_NOTE_BYTES,
  type NoteKey,
  type NoteSignature,
  noteKeyId,
  parseNote,
  parseNoteSignature,
  parseVerifierKey,
  type Sign,
  type SignedNote,
  signaturesOf,
  type Verify,
  type WitnessKey,
} from './signed-note.ts';
export {
  formatTlogProof,
  MAX_TLOG_PROOF_BYTES,
  type ProvenLeaf,
  parseTlogProof,
  type TlogProof,
  verifyTlogProof,
  type WitnessPolicy,
} from './tlog-proof.ts';
export { emptyRoot, leafHash, merkleRoot, nodeHash, TreeHasher } from './tree.ts';
export { createTurns, type InTurn } from './turns.ts';
export {
  type CosignAnswer,
  type CosignRequest,
  createWitness,
  type Witness,
  type WitnessComponents,
  type WitnessStore,
} from './witness.ts';
export { witnessQuorum } from './witness-quorum.ts';
export { provesSplitView, type SplitView } from './witness-split-view.ts';
export { openWitnessStore } from './witness-store.ts';
