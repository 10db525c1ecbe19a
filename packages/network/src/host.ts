import type { SiteKey } from '@consilium/records';
import { privateKeyFromRaw } from '@libp2p/crypto/keys';
import { type GossipSub, gossipsub, StrictSign } from '@libp2p/gossipsub';
import { createTopicScoreParams } from '@libp2p/gossipsub/score';
import { type Identify, identify } from '@libp2p/identify';
import type { ConnectionGater, Libp2p } from '@libp2p/interface';
import { noise } from '@libp2p/noise';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import { NetworkError } from './error.ts';
import type { NetworkTiming } from './limits.ts';

/** The one gossip topic: who holds how much of which log. */
export const ANNOUNCE_TOPIC = '/consilium/announce/1';

/** The libp2p services that this package uses. */
export type HostServices = {
  identify: Identify;
  pubsub: GossipSub;
};

/** A libp2p node of one site. */
export type Host = Libp2p<HostServices>;

const MEBIBYTE = 2 ** 20;

/**
 * A started libp2p node over TCP, Noise and yamux whose PeerId is the site's.
 *
 * - yamux windows stay at 2 MiB, below the 4 MiB read buffer: the default of 16 MiB aborts paused streams.
 * - Gossip never scores peers by address (hospitals share exits, and there is a roster), and signs
 *   every announcement with the site's key.
 * - Nothing is dialled by libp2p itself: no discovery, no keep-alive tags.
 *
 * `prepare` runs before the first peer can connect: protocols are registered there.
 *
 * @throws {NetworkError} `LISTEN_FAILED` when an address of `listen` cannot be used.
 */
export async function startHost(
  key: SiteKey,
  listen: readonly string[],
  connectionGater: ConnectionGater,
  timing: NetworkTiming,
  prepare: (host: Host) => Promise<void>,
): Promise<Host> {
  const host = await createLibp2p<HostServices>({
    start: false,
    privateKey: privateKeyFromRaw(key.secretKey),
    addresses: { listen: [...listen] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        maxInboundStreams: 64,
        maxOutboundStreams: 128,
        streamOptions: {
          maxStreamWindowSize: 2 * MEBIBYTE,
          maxReadBufferLength: 4 * MEBIBYTE,
          inactivityTimeout: 4 * timing.idleTimeoutMs,
        },
      }),
    ],
    connectionGater,
    connectionManager: {
      dialTimeout: timing.dialTimeoutMs,
      inboundUpgradeTimeout: timing.dialTimeoutMs,
      // Per host: several sites may share one address, and a strict limit would lock them out together.
      inboundConnectionThreshold: 100,
      maxIncomingPendingConnections: 64,
      reconnectRetries: 0,
    },
    services: {
      identify: identify({ runOnConnectionOpen: true }),
      pubsub: gossipsub(gossipInit()),
    },
  });
  try {
    await prepare(host);
    await host.start();
  } catch (cause) {
    await host.stop();
    throw new NetworkError('LISTEN_FAILED', `cannot listen on ${listen.join(', ')}`, { cause });
  }
  return host;
}

function gossipInit(): Parameters<typeof gossipsub>[0] {
  return {
    globalSignaturePolicy: StrictSign,
    allowedTopics: [ANNOUNCE_TOPIC],
    allowPublishToZeroTopicPeers: true,
    emitSelf: false,
    fallbackToFloodsub: false,
    doPX: false,
    // Announcements are small and members few: everybody hears the author at once.
    floodPublish: true,
    // One message after the other, so that a flood queues bytes and not signature checks.
    awaitRpcHandler: true,
    awaitRpcMessageHandler: true,
    maxInboundStreams: 2,
    maxOutboundStreams: 2,
    // Replies to IWANT carry many announcements in one message: well above 64 KiB, far below 4 MiB.
    maxInboundDataLength: 2 * MEBIBYTE,
    maxOutboundBufferSize: 8 * MEBIBYTE,
    maxTopicBytesPerPeer: 8 * 1024,
    mcacheLength: 4,
    mcacheGossip: 2,
    decodeRpcLimits: {
      maxSubscriptions: 16,
      maxMessages: 256,
      maxIhaveMessageIDs: 1024,
      maxIwantMessageIDs: 1024,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 64,
      maxPeerInfos: 16,
    },
    tagMeshPeers: false,
    scoreParams: {
      IPColocationFactorWeight: 0,
      // Without parameters for the topic a rejected message has no effect on its sender.
      topics: {
        [ANNOUNCE_TOPIC]: createTopicScoreParams({
          topicWeight: 1,
          timeInMeshWeight: 0,
          firstMessageDeliveriesWeight: 0,
          meshMessageDeliveriesWeight: 0,
          meshFailurePenaltyWeight: 0,
          invalidMessageDeliveriesWeight: -10,
          invalidMessageDeliveriesDecay: 0.9,
        }),
      },
    },
  };
}
