export type { Random } from './backoff.ts';
export { BLOB_PROTOCOL } from './blob-answers.ts';
export type { Clock } from './clock.ts';
export { NetworkError, type NetworkErrorCode } from './error.ts';
export { ANNOUNCE_TOPIC } from './host.ts';
export {
  DEFAULT_LIMITS,
  DEFAULT_TIMING,
  type NetworkLimits,
  type NetworkTiming,
  PROTOCOL_LIMITS,
} from './limits.ts';
export type { Logger } from './logger.ts';
export type { RosterMember } from './member-table.ts';
export {
  createNetwork,
  type Network,
  type NetworkComponents,
  type NetworkInit,
  type PeerStatus,
  type SyncReport,
} from './network.ts';
export { SYNC_PROTOCOL } from './sync-answers.ts';
export type { Rate } from './token-bucket.ts';
export { WITNESS_PROTOCOL } from './witness-answers.ts';
export type { CosignRefusal, CosignReply, NoteClaim } from './witness-message.ts';
export type { Witnessing } from './witnessing.ts';
