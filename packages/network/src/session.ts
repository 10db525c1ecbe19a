import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { createAnnouncer } from './announcer.ts';
import { uniform } from './backoff.ts';
import { BLOB_PROTOCOL, createBlobAnswers } from './blob-answers.ts';
import { fetchBlob } from './blob-fetch.ts';
import { wait } from './clock.ts';
import { rosterGater } from './connection-gater.ts';
import { dialIfDue } from './dialer.ts';
import { isViolation, NetworkError } from './error.ts';
import { asError, type Exchange, openExchange } from './exchange.ts';
import { createGossipWatchdog } from './gossip-watchdog.ts';
import { ANNOUNCE_TOPIC, type Host, startHost } from './host.ts';
import { type NetworkLimits, type NetworkTiming, PROTOCOL_LIMITS } from './limits.ts';
import { createLogView } from './log-view.ts';
import { errorFields } from './logger.ts';
import { createMemberTable, type Member } from './member-table.ts';
import type { Network, NetworkComponents } from './network.ts';
import { type Answers, serveStream } from './serve.ts';
import { createSharedWork } from './shared-work.ts';
import { SYNC_PROTOCOL, syncAnswers } from './sync-answers.ts';
import { createSyncDriver } from './sync-driver.ts';
import { pullFrom } from './sync-pull.ts';

/** What a started network can do. */
export type Session = Omit<Network, 'start'>;

/** Starts everything; after `stop` a new session is needed. @throws {NetworkError} `LISTEN_FAILED`. */
export async function startSession(
  components: NetworkComponents,
  listen: readonly string[],
  limits: NetworkLimits,
  timing: NetworkTiming,
): Promise<Session> {
  const { key, log, blobs, clock, random, logger } = components;
  const controller = new AbortController();
  const { signal } = controller;
  const running = new Set<Promise<void>>();
  const members = createMemberTable(key.id, components.members, clock, limits, logger);
  members.refresh();
  const view = createLogView(log, members.isMember);
  await view.refreshForks();

  /** Starts work that nobody waits for; its failure is a line in the log. */
  const background = (what: string, work: Promise<unknown>): void => {
    const settled = work.then(
      () => {},
      (error: unknown) => {
        if (!signal.aborted) {
          logger.debug({ what, ...errorFields(error) }, 'background work failed');
        }
      },
    );
    running.add(settled);
    void settled.then(() => running.delete(settled));
  };

  const connectionsOf = (site: string): Connection[] =>
    host === undefined
      ? []
      : host.getConnections(peerId(site)).filter(({ status }) => status === 'open');

  /** Counts what a peer did wrong; at the limit it is banned and cut. */
  const judge = (site: string, error: unknown): void => {
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
      for (const connection of connectionsOf(site)) {
        connection.abort(new NetworkError('PROTOCOL_VIOLATION', 'too many violations'));
      }
    }
  };

  const open = async (
    site: string,
    protocol: string,
    maxFrameBytes: number,
    stop: AbortSignal,
  ): Promise<Exchange> => {
    const [connection] = connectionsOf(site);
    if (connection === undefined) {
      throw new NetworkError('NOT_CONNECTED', `no connection to ${site}`);
    }
    const init = { protocol, maxFrameBytes, timeoutMs: timing.requestTimeoutMs };
    return openExchange(connection, clock, init, stop);
  };

  const pull = async (site: string): Promise<Awaited<ReturnType<typeof pullFrom>>> => {
    const exchange = await open(site, SYNC_PROTOCOL, PROTOCOL_LIMITS.syncFrameBytes, signal);
    try {
      const result = await pullFrom(exchange, {
        log,
        view,
        isMember: members.isMember,
        admit: components.admit,
        onRefused: (author, error) =>
          logger.warn({ site, author, ...errorFields(error) }, 'entry not admitted'),
      });
      await exchange.close();
      return result;
    } catch (error) {
      exchange.abort(asError(error));
      throw error;
    }
  };

  const driver = createSyncDriver({ clock, members, view, log, pull, judge, background, logger });

  const serve =
    (answersFor: (site: string) => Answers) =>
    (stream: Stream, connection: Connection): void => {
      const site = connection.remotePeer.toString();
      const member = members.get(site);
      if (member === undefined) {
        stream.abort(new NetworkError('PROTOCOL_VIOLATION', 'not a member'));
        return;
      }
      const served = serveStream(stream, clock, member.guard, answersFor(site), timing, signal);
      background(
        `serving ${stream.protocol}`,
        served.catch((error: unknown) => judge(site, error)),
      );
    };

  let host: Host | undefined;
  const hasRoom = (site: string): boolean => connectionsOf(site).length < limits.connectionsPerPeer;
  const gater = rosterGater(members.admits, hasRoom);
  const blobAnswers = createBlobAnswers(blobs);
  const started = await startHost(key, listen, gater, timing, async (made) => {
    const bounds = { maxInboundStreams: limits.inboundStreams };
    await made.handle(
      SYNC_PROTOCOL,
      serve((site) => syncAnswers(view, (claims) => driver.hear(site, claims))),
      bounds,
    );
    await made.handle(
      BLOB_PROTOCOL,
      serve(() => blobAnswers),
      bounds,
    );
  });
  host = started;

  const announcer = createAnnouncer(
    {
      host: started,
      clock,
      members,
      summary: view.summary,
      signal,
      onViolation: judge,
      onClaims: (claims, author, neighbour) =>
        driver.hear(connectionsOf(author).length > 0 ? author : neighbour, claims),
    },
    timing.announceIntervalMs,
  );
  const unsubscribe = log.onAppend(() => background('announcing', announcer.announce()));
  const watchdog = createGossipWatchdog(
    started,
    clock,
    members,
    timing.gossipGraceMs,
    (site, reason) => logger.warn({ site, ...errorFields(reason) }, 'connection replaced'),
  );

  const cut = (site: string, reason: string): void => {
    for (const connection of connectionsOf(site)) {
      connection.abort(new NetworkError('NOT_CONNECTED', reason));
    }
  };
  const applyRoster = (): void => {
    for (const site of members.refresh()) {
      logger.info({ site }, 'no longer a member');
      cut(site, 'no longer a member');
    }
  };

  const connected = (): Member[] =>
    members.all().filter(({ site }) => connectionsOf(site).length > 0);
  const dialer = { host: started, clock, random, logger, timing, signal };
  let antiEntropyDueMs = 0;
  const planAntiEntropy = (): void => {
    antiEntropyDueMs = clock.now() + timing.antiEntropyMs * (0.5 + uniform(random));
  };
  const tick = (): void => {
    applyRoster();
    for (const member of members.all()) {
      if (connectionsOf(member.site).length === 0 && members.admits(member.site)) {
        background('dialling', dialIfDue(dialer, member));
      }
    }
    watchdog.check();
    if (clock.now() >= antiEntropyDueMs) {
      planAntiEntropy();
      for (const { site } of connected()) {
        background('anti-entropy', driver.request(site));
      }
    }
  };
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      tick();
      await wait(clock, timing.tickMs, signal);
    }
  };

  started.addEventListener('peer:connect', ({ detail }) => {
    const member = members.get(detail.toString());
    if (member !== undefined) {
      member.lastError = null;
      logger.info({ site: member.site }, 'peer connected');
      background('sync on connect', driver.request(member.site));
    }
  });
  started.addEventListener('peer:disconnect', ({ detail }) => {
    const member = members.get(detail.toString());
    if (member !== undefined) {
      // Not both sides at the same moment.
      member.dial.dueMs = Math.max(
        member.dial.dueMs,
        clock.now() + timing.redialBaseMs * uniform(random),
      );
      logger.info({ site: member.site }, 'peer disconnected');
    }
  });
  planAntiEntropy();
  background('the loop', loop());

  const fetches = createSharedWork((name, stop) => {
    const [digest = '', size = ''] = name.split(' ');
    return fetchBlob(
      {
        blobs,
        clock,
        random,
        timing,
        onFault: judge,
        peers: () =>
          connected().map(({ site }) => ({
            site,
            open: (until) => open(site, BLOB_PROTOCOL, PROTOCOL_LIMITS.blobFrameBytes, until),
          })),
      },
      digest,
      Number(size),
      AbortSignal.any([stop, signal]),
    );
  });

  return {
    addresses: () => started.getMultiaddrs().map(String),
    peers: () => {
      const subscribers = started.services.pubsub.getSubscribers(ANNOUNCE_TOPIC).map(String);
      return members.all().map((member) => ({
        site: member.site,
        connected: connectionsOf(member.site).length > 0,
        gossip: subscribers.includes(member.site),
        banned: member.guard.banned(),
        lastSyncAt: member.lastSyncAtMs,
        lastError: member.lastError,
      }));
    },
    announce: () => announcer.announce(),
    sync: async (stop) => {
      applyRoster();
      const asked = connected();
      const all = Promise.allSettled(asked.map(({ site }) => driver.request(site)));
      const outcomes = await untilAborted(all, stop);
      const failed = outcomes.filter(({ status }) => status === 'rejected').length;
      return { peers: asked.length, failed };
    },
    fetchBlob: (digest, bytes, options) => fetches.run(`${digest} ${bytes}`, options?.signal),
    refresh: async () => tick(),
    stop: async () => {
      controller.abort(new NetworkError('NOT_STARTED', 'the network was stopped'));
      unsubscribe();
      await started.stop();
      await Promise.all(running);
    },
  };
}

function peerId(site: string): PeerId {
  return peerIdFromString(site);
}

/** `work`, unless `signal` aborts first. @throws the reason of `signal`. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  signal?.throwIfAborted();
  const gone = Promise.withResolvers<never>();
  const onAbort = (): void => gone.reject(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, gone.promise]);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
