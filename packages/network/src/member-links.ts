import type { Connection } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import type { Clock } from './clock.ts';
import { isViolation, NetworkError } from './error.ts';
import { asError, type Exchange, openExchange } from './exchange.ts';
import type { Host } from './host.ts';
import { errorFields, type Logger } from './logger.ts';
import type { Member, MemberTable } from './member-table.ts';

/** The open connections with members. */
export interface MemberLinks {
  /** Open connections with one site. */
  of(site: string): Connection[];
  isConnected(site: string): boolean;
  /** Members with an open connection. */
  connected(): Member[];
  /** Opens a stream to a member. @throws {NetworkError} `NOT_CONNECTED`, `TIMEOUT`. */
  open(
    site: string,
    protocol: string,
    maxFrameBytes: number,
    signal: AbortSignal,
  ): Promise<Exchange>;
  /** Resets every connection with one site. */
  cut(site: string, reason: string): void;
  /** Remembers and logs how talking to a member failed; at the limit of violations it is banned and cut. */
  judge(site: string, error: unknown): void;
}

/** What links work with; `host` is undefined until it has started. */
export interface MemberLinksComponents {
  host: () => Host | undefined;
  members: MemberTable;
  clock: Clock;
  logger: Logger;
  timeoutMs: number;
  signal: AbortSignal;
}

/** Links over whatever connections libp2p holds at the time of each call. */
export function createMemberLinks(components: MemberLinksComponents): MemberLinks {
  const { host, members, clock, logger, timeoutMs, signal } = components;

  const of = (site: string): Connection[] =>
    (host()?.getConnections(peerIdFromString(site)) ?? []).filter(
      ({ status }) => status === 'open',
    );

  const cut = (site: string, reason: string): void => {
    for (const connection of of(site)) {
      connection.abort(new NetworkError('NOT_CONNECTED', reason));
    }
  };
  return {
    of,
    cut,
    isConnected: (site) => of(site).length > 0,
    connected: () => members.all().filter(({ site }) => of(site).length > 0),
    open: async (site, protocol, maxFrameBytes, until) => {
      const [connection] = of(site);
      if (connection === undefined) {
        throw new NetworkError('NOT_CONNECTED', `no connection to ${site}`);
      }
      return openExchange(connection, clock, { protocol, maxFrameBytes, timeoutMs }, until);
    },
    judge: (site, error) => {
      const member = members.get(site);
      if (member === undefined || signal.aborted) {
        return;
      }
      member.lastError = asError(error).message;
      if (!isViolation(error)) {
        logger.debug({ site, ...errorFields(error) }, 'peer failed');
        return;
      }
      const banned = member.guard.violation();
      logger.warn({ site, banned, ...errorFields(error) }, 'peer broke the protocol');
      if (banned) {
        cut(site, 'too many violations');
      }
    },
  };
}
