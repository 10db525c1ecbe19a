export { type BlobStore, openBlobStore } from './blob-store.ts';
export type { LogHead } from './chain.ts';
export type { EntryPlace, EntryReader } from './entry.ts';
export { LogError, type LogErrorCode } from './error.ts';
export {
  type AppendedEntry,
  type AppendResult,
  type ForkProof,
  type LogStore,
  openLogStore,
} from './log-store.ts';
export type { PartialBlob } from './partial-blob.ts';
export type { LogRepair } from './recovery.ts';
export { emptyRoot, leafHash, merkleRoot, nodeHash, TreeHasher } from './tree.ts';
