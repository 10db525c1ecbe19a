import type { SiteKey } from '@consilium/records';
import { RPC } from '@libp2p/gossipsub/message';
import type { Connection, Stream } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { pipe } from 'it-pipe';
import { BLOB_PROTOCOL } from './blob-answers.ts';
import { type BlobReply, chunkCount, chunkLength, encodeBlobMessage } from './blob-message.ts';
import { type Clock, wait } from './clock.ts';
import { encodeFrame, encodeFrames, frameReader } from './framing.ts';
import { ANNOUNCE_TOPIC, type Host, startHost } from './host.ts';
import { DEFAULT_TIMING, PROTOCOL_LIMITS } from './limits.ts';
import { type Draw, mutate, seededDraw } from './mutations.ts';
import { streamDuplex } from './stream-duplex.ts';
import { encodeSummary, type Summary } from './summary.ts';
import { SYNC_PROTOCOL } from './sync-answers.ts';
import { encodeSyncMessage } from './sync-message.ts';
import { WITNESS_PROTOCOL } from './witness-answers.ts';
import { encodeWitnessAnswer, encodeWitnessRequest } from './witness-message.ts';

export { type Draw, mutate, seededDraw } from './mutations.ts';

/** What a hostile member works with. */
export interface HostileMemberInit {
  /** A key that is in the roster of the site under attack. */
  key: SiteKey;
  /** Chooses every mutation. */
  seed: number;
  clock: Clock;
  /** Well-formed entries of which the mutated answers are made. */
  entries: readonly Uint8Array[];
  /** What it claims to hold, so that the other side comes and asks. */
  claims: Summary;
}

/** A member of the roster that follows no rule; a test instrument, not for use in a node. */
export interface HostileMember {
  /** Where it can be dialled. */
  addresses(): string[];
  /** Messages sent so far, of all kinds. */
  sent(): number;
  connect(target: string): Promise<void>;
  /**
   * Sends `count` mutated requests, each on a stream of its own, on `lanes` streams at once.
   *
   * @throws when the other side cuts it off.
   */
  attackRequests(count: number, lanes?: number): Promise<void>;
  /** Sends `count` mutated announcements (signed), and as many mutated gossip messages. */
  attackGossip(count: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Joins with a valid key. Requests that come to it are answered with mutated summaries, entries, lists, chunks and notes,
 * so whoever pulls from it is attacked as well.
 */
export async function startHostileMember(init: HostileMemberInit): Promise<HostileMember> {
  const draw = seededDraw(init.seed);
  let sent = 0;
  const count = (): void => {
    sent += 1;
  };
  const answer = (stream: Stream): void => {
    // Whatever the victim does with the stream is fine here.
    void answerWith(stream, init, draw, count).catch((error: unknown) =>
      stream.abort(error instanceof Error ? error : new Error('hostile')),
    );
  };
  const host = await startHost(
    init.key,
    ['/ip4/127.0.0.1/tcp/0'],
    {},
    DEFAULT_TIMING,
    async (made) => {
      await made.handle(SYNC_PROTOCOL, answer, { maxInboundStreams: 1000 });
      await made.handle(BLOB_PROTOCOL, answer, { maxInboundStreams: 1000 });
      await made.handle(WITNESS_PROTOCOL, answer, { maxInboundStreams: 1000 });
    },
  );
  host.services.pubsub.subscribe(ANNOUNCE_TOPIC);
  let target = '';

  const connection = async (): Promise<Connection> => {
    const id = peerIdFromString(target.split('/p2p/')[1] ?? '');
    const open = host.getConnections(id).find(({ status }) => status === 'open');
    return open ?? host.dial(multiaddr(target));
  };
  return {
    addresses: () => host.getMultiaddrs().map(String),
    sent: () => sent,
    connect: async (address) => {
      target = address;
      await connection();
    },
    attackRequests: async (total, lanes = 12) => {
      const requests = requestCorpus(init);
      let left = total;
      const lane = async (): Promise<void> => {
        while (left > 0) {
          left -= 1;
          const { protocol, first, frame } = pick(requests, draw);
          const bytes = Buffer.concat([first, mutatedFrame(frame, draw)]);
          const wasSent = await sendAlone(await connection(), protocol, bytes, init.clock);
          if (wasSent) {
            count();
          } else {
            left += 1;
            await wait(init.clock, 5);
          }
        }
      };
      await Promise.all(Array.from({ length: lanes }, lane));
    },
    attackGossip: async (total) => {
      for (let i = 0; i < total; i += 1) {
        await host.services.pubsub.publish(
          ANNOUNCE_TOPIC,
          mutate(encodeSummary(init.claims), draw),
        );
        count();
      }
      // A new connection: on the old one the other side may have stopped to listen.
      (await connection()).abort(new Error('a new one is wanted'));
      sent += await sendRawGossip(host, await connection(), init, draw, total);
    },
    stop: async () => {
      await host.stop();
    },
  };
}

interface Request {
  protocol: string;
  /** Sent unchanged before the mutated frame. */
  first: Uint8Array;
  frame: Uint8Array;
}

function requestCorpus({ claims, key }: HostileMemberInit): Request[] {
  const summary = encodeSummary(claims);
  const digest = new Uint8Array(32).fill(9);
  const none = new Uint8Array(0);
  return [
    { protocol: SYNC_PROTOCOL, first: none, frame: summary },
    ...[
      encodeSyncMessage({ type: 'read', author: key.id, from: 0, count: 256 }),
      encodeSyncMessage({ type: 'fork', author: key.id }),
    ].map((frame) => ({ protocol: SYNC_PROTOCOL, first: encodeFrame(summary), frame })),
    ...[
      encodeBlobMessage({ type: 'open', digest }),
      encodeBlobMessage({ type: 'chunk', digest, index: 3 }),
    ].map((frame) => ({ protocol: BLOB_PROTOCOL, first: none, frame })),
    ...[
      encodeWitnessRequest({
        type: 'cosign',
        request: { oldSize: 3, proof: [digest, digest], checkpoint: HOSTILE_NOTE },
      }),
      encodeWitnessRequest({ type: 'latest' }),
      encodeWitnessRequest({ type: 'note', author: key.id, size: 5 }),
    ].map((frame) => ({ protocol: WITNESS_PROTOCOL, first: none, frame })),
  ];
}

/** In the form of a note, and signed by nobody. */
const HOSTILE_NOTE: Uint8Array = new TextEncoder().encode(
  `consilium/hostile\n5\n${'A'.repeat(43)}=\n\n— consilium/hostile ${'A'.repeat(91)}=\n`,
);

/** Mutated inside the frame, or the frame with its length mutated. */
function mutatedFrame(payload: Uint8Array, draw: Draw): Uint8Array {
  if (draw(4) === 0) {
    return mutate(encodeFrame(payload), draw);
  }
  const mutated = mutate(payload, draw);
  return mutated.length === 0 ? encodeFrame(Uint8Array.of(0)) : encodeFrame(mutated);
}

/**
 * Opens a stream, sends, and waits until the other side has closed or reset it, 2 s at most. False when
 * the stream could not be opened.
 */
async function sendAlone(
  connection: Connection,
  protocol: string,
  bytes: Uint8Array,
  clock: Clock,
): Promise<boolean> {
  const stream = await openOnce(connection, protocol);
  if (stream === undefined) {
    return false;
  }
  const closed = Promise.withResolvers<void>();
  stream.addEventListener('close', () => closed.resolve());
  stream.addEventListener('message', () => {});
  const cancel = clock.after(2_000, () => stream.abort(new Error('no reaction')));
  try {
    stream.send(bytes);
    await stream.close();
  } catch {
    // Reset already: that is an answer, too.
    closed.resolve();
  }
  await closed.promise;
  cancel();
  return true;
}

/** A stream; undefined when this one was reset although the connection stands. @throws when that is gone. */
async function openOnce(connection: Connection, protocol: string): Promise<Stream | undefined> {
  try {
    return await connection.newStream(protocol, {
      negotiateFully: false,
      maxOutboundStreams: 1000,
    });
  } catch (error) {
    if (connection.status === 'open') {
      return undefined;
    }
    throw error;
  }
}

async function answerWith(
  stream: Stream,
  init: HostileMemberInit,
  draw: Draw,
  onSent: () => void,
): Promise<void> {
  const duplex = streamDuplex(stream, init.clock, {
    maxBufferedBytes: PROTOCOL_LIMITS.requestBytes,
    writeTimeoutMs: 5_000,
  });
  const limits = {
    maxFrameBytes: PROTOCOL_LIMITS.requestBytes,
    idleTimeoutMs: 5_000,
    frameTimeoutMs: 5_000,
  };
  const good = goodAnswer(stream.protocol, init);
  await pipe(
    duplex.source,
    frameReader(init.clock, limits),
    async function* (requests: AsyncIterable<Uint8Array>) {
      let position = 0;
      for await (const _request of requests) {
        const answer = good(position);
        position += 1;
        // The first answer is often left whole, so that the later ones are reached.
        const whole = position === 1 && draw(4) !== 0;
        const bytes = whole ? answer : mutate(answer, draw);
        onSent();
        yield bytes.length === 0 ? Uint8Array.of(0) : bytes;
      }
    },
    encodeFrames,
    duplex.sink,
  );
}

function goodAnswer(protocol: string, init: HostileMemberInit): (position: number) => Uint8Array {
  switch (protocol) {
    case SYNC_PROTOCOL:
      return syncAnswer(init);
    case WITNESS_PROTOCOL:
      return witnessAnswer(init);
    default:
      return blobAnswer(init);
  }
}

function witnessAnswer({ key }: HostileMemberInit): (position: number) => Uint8Array {
  const root = new Uint8Array(32).fill(3);
  const notes = [5, 9].map((size) => ({
    author: key.id,
    size,
    root,
    cosigned: 2,
    cosigners: root,
  }));
  return (position) =>
    encodeWitnessAnswer(
      position === 0 ? { type: 'latest', notes } : { type: 'note', note: HOSTILE_NOTE },
    );
}

function syncAnswer({ claims, entries }: HostileMemberInit): (position: number) => Uint8Array {
  return (position) =>
    position === 0 ? encodeSummary(claims) : encodeSyncMessage({ type: 'entries', entries });
}

/** The size of the blob that {@link HostileMember} pretends to have. */
export const HOSTILE_BLOB_BYTES = 40_000;

function blobAnswer(_init: HostileMemberInit): (position: number) => Uint8Array {
  const size = HOSTILE_BLOB_BYTES;
  const list: BlobReply = {
    type: 'blob',
    size,
    chunks: Array.from({ length: chunkCount(size) }, () => new Uint8Array(32).fill(4)),
  };
  return (position) =>
    encodeBlobMessage(
      position === 0
        ? list
        : { type: 'bytes', index: position - 1, bytes: new Uint8Array(chunkLength(size, 0)) },
    );
}

/** Mutated gossip messages in their right length, on a second gossip stream. Returns how many were sent. */
async function sendRawGossip(
  host: Host,
  connection: Connection,
  init: HostileMemberInit,
  draw: Draw,
  total: number,
): Promise<number> {
  const protocol = host.services.pubsub.protocols[0] ?? '/meshsub/1.1.0';
  const message = RPC.encode({
    subscriptions: [{ subscribe: true, topic: ANNOUNCE_TOPIC }],
    messages: [
      {
        from: new Uint8Array(38).fill(1),
        data: encodeSummary(init.claims),
        seqno: new Uint8Array(8),
        topic: ANNOUNCE_TOPIC,
        signature: new Uint8Array(64),
        key: new Uint8Array(36),
      },
    ],
    control: {
      ihave: [{ topicID: ANNOUNCE_TOPIC, messageIDs: [new Uint8Array(20)] }],
      iwant: [{ messageIDs: [new Uint8Array(20)] }],
      graft: [{ topicID: ANNOUNCE_TOPIC }],
      prune: [{ topicID: ANNOUNCE_TOPIC, peers: [], backoff: 1 }],
      idontwant: [],
    },
  });
  const stream = await openOnce(connection, protocol);
  let sent = 0;
  for (let i = 0; i < total && stream?.writeStatus === 'writable'; i += 1) {
    const bytes = mutate(message, draw);
    stream.send(Buffer.concat([varint(bytes.length), bytes]));
    sent += 1;
    if (stream.writableNeedsDrain || i % 64 === 63) {
      await new Promise<void>((resolve) => init.clock.after(1, resolve));
    }
  }
  stream?.abort(new Error('done'));
  return sent;
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest >>>= 7;
  }
  return Uint8Array.of(...bytes, rest);
}

function pick<T>(items: readonly T[], draw: Draw): T {
  const item = items[draw(items.length)];
  if (item === undefined) {
    throw new RangeError('nothing to pick from');
  }
  return item;
}
