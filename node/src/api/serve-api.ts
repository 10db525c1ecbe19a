import type { LogStore } from '@consilium/log';
import type { Clock } from '@consilium/network';
import type { SiteId, SiteKey, VerifiedRecord } from '@consilium/records';
import type { BlobReader, StudyState } from '@consilium/study';
import { Api } from './api.ts';
import type { CheckpointSource } from './log-proof.ts';
import { StateStream } from './state-stream.ts';
import { StudyHistory } from './study-history.ts';
import { StudyQueries } from './study-queries.ts';
import { localToken, type TokenConfig } from './tokens.ts';

/** What a running node gives its API. */
export interface ServedNode {
  /** The key that signs the answers. */
  readonly key: SiteKey;
  /** That one, and another that the site is handing on from or to: by any of them its command line shows whose it is. */
  readonly ownKeys: readonly SiteKey[];
  /** Of this process. */
  readonly pid: number;
  /** The manifest. */
  readonly founding: VerifiedRecord;
  readonly log: LogStore;
  readonly blobs: BlobReader;
  readonly checkpoints: CheckpointSource;
  readonly clock: Clock;
  /** The state as the site's own loop sees it. */
  readonly state: () => StudyState | null;
  readonly connected: (site: SiteId) => boolean | null;
  readonly onError: (error: unknown) => void;
}

/** A node's API: `queries` for those who are in the process already, `handle` for the HTTP server's gate. */
export interface ServedApi {
  readonly queries: StudyQueries;
  readonly handle: Api['handle'];
  /** Lets go of everybody who listens. */
  stop(): void;
}

/** Puts the parts together. Nothing runs until somebody asks. */
export function serveApi(node: ServedNode, tokens: readonly TokenConfig[]): ServedApi {
  const { key, ownKeys, pid, founding, log, blobs, checkpoints, clock, state, connected, onError } =
    node;
  const history = new StudyHistory({ founding, log, blobs });
  const queries = new StudyQueries({ self: key.id, history, checkpoints, connected });
  const stream = new StateStream({ key, clock, state });
  const api = new Api(
    { key, clock, queries, stream, onError },
    { tokens, localTokens: ownKeys.map((own) => localToken(own, pid)) },
  );
  return {
    queries,
    handle: (request, response) => api.handle(request, response),
    stop: () => stream.stop(),
  };
}
