import type { Connection, Stream } from '@libp2p/interface';
import { createAnnouncer } from './announcer.ts';
import { createBackground } from './background.ts';
import { uniform } from './backoff.ts';
import { BLOB_PROTOCOL, createBlobAnswers } from './blob-answers.ts';
import { type BlobPeer, fetchBlob } from './blob-fetch.ts';
import { unlessAborted } from './clock.ts';
import { rosterGater } from './connection-gater.ts';
import { NetworkError } from './error.ts';
import { asError, type Exchange } from './exchange.ts';
import { createGossipWatchdog } from './gossip-watchdog.ts';
import { ANNOUNCE_TOPIC, type Host, startHost } from './host.ts';
import { type NetworkLimits, type NetworkTiming, PROTOCOL_LIMITS } from './limits.ts';
import { createLogView } from './log-view.ts';
import { errorFields } from './logger.ts';
import { createMemberLinks } from './member-links.ts';
import { createMemberTable } from './member-table.ts';
import type { Network, NetworkComponents } from './network.ts';
import type { PeerGuard } from './peer-guard.ts';
import { type Answers, serveStream } from './serve.ts';
import { createSharedWork } from './shared-work.ts';
import { SYNC_PROTOCOL, syncAnswers } from './sync-answers.ts';
import { createSyncDriver } from './sync-driver.ts';
import { pullFrom, type SyncPullResult } from './sync-pull.ts';
import { createUpkeep } from './upkeep.ts';
import { WITNESS_PROTOCOL, witnessAnswers } from './witness-answers.ts';
import { askToCosign, pullNotes } from './witness-ask.ts';
import { noWitnessing } from './witnessing.ts';

/** What a started network can do. */
export type Session = Omit<Network, 'start'>;

/** Wires and starts everything; after `stop` a new session is needed. @throws {NetworkError} `LISTEN_FAILED`. */
export async function startSession(
  components: NetworkComponents,
  listen: readonly string[],
  limits: NetworkLimits,
  timing: NetworkTiming,
): Promise<Session> {
  const { key, log, blobs, clock, random, logger, witnessing = noWitnessing } = components;
  const stopping = new AbortController();
  const { signal } = stopping;
  const background = createBackground(logger, signal);
  const members = createMemberTable(key.id, components, clock, limits, logger);
  members.refresh();
  const view = createLogView(log, (author) => members.wants(author, 0));
  await view.refreshForks();

  let running: Host | undefined;
  const links = createMemberLinks({
    host: () => running,
    members,
    clock,
    logger,
    timeoutMs: timing.requestTimeoutMs,
    signal,
  });

  /** One exchange with a member, ended in order or reset. */
  const exchanging = async <T>(
    site: string,
    protocol: string,
    maxFrameBytes: number,
    until: AbortSignal,
    work: (exchange: Exchange) => Promise<T>,
  ): Promise<T> => {
    const exchange = await links.open(site, protocol, maxFrameBytes, until);
    try {
      const result = await work(exchange);
      await exchange.close();
      return result;
    } catch (error) {
      exchange.abort(asError(error));
      throw error;
    }
  };
  const { syncFrameBytes, witnessFrameBytes } = PROTOCOL_LIMITS;
  const pull = async (site: string): Promise<SyncPullResult> => {
    const result = await exchanging(site, SYNC_PROTOCOL, syncFrameBytes, signal, (exchange) =>
      pullFrom(exchange, {
        log,
        view,
        wants: members.wants,
        admit: components.admit,
        onRefused: (author, error) =>
          logger.warn({ site, author, ...errorFields(error) }, 'entry not admitted'),
      }),
    );
    // Records first: a note says something only about a log that is here as far as it reaches.
    if (components.witnessing !== undefined) {
      await exchanging(site, WITNESS_PROTOCOL, witnessFrameBytes, signal, (exchange) =>
        pullNotes(exchange, site, witnessing),
      );
    }
    return result;
  };
  const { judge } = links;
  const driver = createSyncDriver({ clock, members, view, log, pull, judge, background, logger });

  const serve =
    (answersFor: (site: string, guard: PeerGuard) => Answers) =>
    (stream: Stream, connection: Connection): void => {
      const site = connection.remotePeer.toString();
      const member = members.get(site);
      if (member === undefined) {
        stream.abort(new NetworkError('PROTOCOL_VIOLATION', 'not a member'));
        return;
      }
      const served = serveStream(
        stream,
        clock,
        member.guard,
        answersFor(site, member.guard),
        timing,
        signal,
      );
      background.run(
        `serving ${stream.protocol}`,
        served.catch((error: unknown) => judge(site, error)),
      );
    };

  const hasRoom = (site: string): boolean => links.of(site).length < limits.connectionsPerPeer;
  const blobAnswers = createBlobAnswers(blobs);
  const gater = rosterGater(members.admits, hasRoom);
  const host = await startHost(key, listen, gater, timing, async (made) => {
    const bounds = { maxInboundStreams: limits.inboundStreams };
    const answersFor = (site: string): Answers =>
      syncAnswers(view, (claims) => driver.hear(site, claims));
    await made.handle(SYNC_PROTOCOL, serve(answersFor), bounds);
    await made.handle(
      BLOB_PROTOCOL,
      serve(() => blobAnswers),
      bounds,
    );
    await made.handle(
      WITNESS_PROTOCOL,
      serve((site, guard) => witnessAnswers(witnessing, site, guard, signal)),
      bounds,
    );
  });
  running = host;

  const announcer = createAnnouncer(
    {
      host,
      clock,
      members,
      summary: view.summary,
      signal,
      onViolation: judge,
      onClaims: (claims, author, neighbour) =>
        driver.hear(links.isConnected(author) ? author : neighbour, claims),
    },
    timing.announceIntervalMs,
  );
  const unsubscribe = log.onAppend(() => background.run('announcing', announcer.announce()));

  const watchdog = createGossipWatchdog(
    host,
    clock,
    members,
    timing.gossipGraceMs,
    (site, reason) => logger.warn({ site, ...errorFields(reason) }, 'connection replaced'),
  );
  const upkeep = createUpkeep(
    { host, clock, random, logger, members, links, driver, watchdog, background, signal },
    timing,
  );
  host.addEventListener('peer:connect', ({ detail }) => {
    const member = members.get(detail.toString());
    if (member !== undefined) {
      member.lastError = null;
      logger.info({ site: member.site }, 'peer connected');
      background.run('sync on connect', driver.request(member.site));
    }
  });
  host.addEventListener('peer:disconnect', ({ detail }) => {
    const member = members.get(detail.toString());
    if (member !== undefined) {
      // Not both sides at the same moment.
      const earliestMs = clock.now() + timing.redialBaseMs * uniform(random);
      member.dial.dueMs = Math.max(member.dial.dueMs, earliestMs);
      logger.info({ site: member.site }, 'peer disconnected');
    }
  });
  background.run('upkeep', upkeep.loop());

  const fetches = createSharedWork((name, stop) => {
    const [digest = '', size = ''] = name.split(' ');
    const peers = (): BlobPeer[] =>
      links.connected().map(({ site }) => ({
        site,
        open: (until) => links.open(site, BLOB_PROTOCOL, PROTOCOL_LIMITS.blobFrameBytes, until),
      }));
    const parts = { blobs, clock, random, timing, onFault: judge, peers };
    return fetchBlob(parts, digest, Number(size), AbortSignal.any([stop, signal]));
  });

  return {
    addresses: () => host.getMultiaddrs().map(String),
    peers: () => {
      const subscribers = host.services.pubsub.getSubscribers(ANNOUNCE_TOPIC).map(String);
      return members.all().map(({ site, guard, lastSyncAtMs, lastError }) => ({
        site,
        connected: links.isConnected(site),
        gossip: subscribers.includes(site),
        banned: guard.banned(),
        lastSyncAt: lastSyncAtMs,
        lastError,
      }));
    },
    announce: () => announcer.announce(),
    sync: async (until) => {
      upkeep.applyRoster();
      const asked = links.connected();
      const pulls = Promise.allSettled(asked.map(({ site }) => driver.request(site)));
      const outcomes = await unlessAborted(pulls, until);
      const failed = outcomes.filter(({ status }) => status === 'rejected').length;
      return { peers: asked.length, failed };
    },
    fetchBlob: (digest, bytes, options) => fetches.run(`${digest} ${bytes}`, options?.signal),
    cosign: async (site, request, until) => {
      const aborts = until === undefined ? signal : AbortSignal.any([until, signal]);
      try {
        return await exchanging(site, WITNESS_PROTOCOL, witnessFrameBytes, aborts, (exchange) =>
          askToCosign(exchange, request),
        );
      } catch (error) {
        judge(site, error);
        throw error;
      }
    },
    refresh: async () => upkeep.tick(),
    stop: async () => {
      stopping.abort(new NetworkError('NOT_STARTED', 'the network was stopped'));
      unsubscribe();
      await host.stop();
      await background.settled();
    },
  };
}
