import { createHash } from 'node:crypto';
import type { LogStore } from '@consilium/log';
import type { Background } from './background.ts';
import type { Clock } from './clock.ts';
import type { LogView } from './log-view.ts';
import type { Logger } from './logger.ts';
import type { MemberTable } from './member-table.ts';
import { encodeSummary, type Summary } from './summary.ts';
import type { SyncPullResult } from './sync-pull.ts';
import { createSyncQueue } from './sync-queue.ts';

/** What driving works with. */
export interface SyncDriverComponents {
  clock: Clock;
  members: MemberTable;
  view: LogView;
  log: LogStore;
  pull: (site: string) => Promise<SyncPullResult>;
  /** Hears of every pull that failed. */
  judge: (site: string, error: unknown) => void;
  background: Background;
  logger: Logger;
}

/** Decides when to pull from whom. */
export interface SyncDriver {
  /** Pulls from `site`. Rejects as the pull does, after it was judged. */
  request(site: string): Promise<void>;
  /** Hears what `site` claims to hold, and pulls in the background where it is ahead. */
  hear(site: string, claims: Summary): void;
}

// A pull is one request after the other; two at once use the line while one waits for the disk.
const PARALLEL_PULLS = 2;

/**
 * Claims that led to a pull which ended well do not lead to another one: what is still missing then was
 * refused here, and two sites that refuse each other's entries must not pull for ever. Anti-entropy asks anyway.
 */
export function createSyncDriver(components: SyncDriverComponents): SyncDriver {
  const { clock, members, view, log, judge, background, logger } = components;
  const settledClaims = new Map<string, string>();

  const pull = async (site: string): Promise<void> => {
    const beganMs = clock.now();
    try {
      const { claims, received } = await components.pull(site);
      settledClaims.set(site, fingerprint(claims));
      const member = members.get(site);
      if (member !== undefined) {
        member.lastSyncAtMs = clock.now();
        member.lastError = null;
      }
      logger.debug({ site, received, elapsedMs: clock.now() - beganMs }, 'synced');
    } catch (error) {
      judge(site, error);
      throw error;
    }
  };
  const queue = createSyncQueue(pull, PARALLEL_PULLS);

  const isAhead = ({ heads, forks }: Summary): boolean =>
    heads.some(({ author, size, last }) => {
      const ours = log.head(author);
      const next = Math.min(ours.size, size - 1);
      if (!members.wants(author, next) || view.forkIndex(author) !== undefined) {
        return false;
      }
      const other = ours.last === null || Buffer.compare(ours.last, last) !== 0;
      return size > ours.size || (size === ours.size && other);
    }) ||
    forks.some(
      ({ author, index }) =>
        members.wants(author, index) && index < (view.forkIndex(author) ?? Infinity),
    );

  return {
    request: queue.request,
    hear: (site, claims) => {
      if (isAhead(claims) && settledClaims.get(site) !== fingerprint(claims)) {
        background.run('sync on a gap', queue.request(site));
      }
    },
  };
}

function fingerprint(claims: Summary): string {
  return createHash('sha256').update(encodeSummary(claims)).digest('base64');
}
