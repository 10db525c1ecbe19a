import { createHash } from 'node:crypto';
import {
  type BlobAnswer,
  chunkLength,
  decodeBlobReply,
  encodeBlobMessage,
} from './blob-message.ts';
import { NetworkError } from './error.ts';
import type { Exchange } from './exchange.ts';
import { PROTOCOL_LIMITS } from './limits.ts';

/** Asks a peer for a blob. Undefined when it does not have it. @throws {NetworkError} */
export async function openBlob(
  exchange: Exchange,
  digest: Uint8Array,
  size: number,
): Promise<BlobAnswer | undefined> {
  const reply = decodeBlobReply(await exchange.ask(encodeBlobMessage({ type: 'open', digest })));
  if (reply.type === 'bytes') {
    throw new NetworkError('PROTOCOL_VIOLATION', 'a blob was opened, got a chunk');
  }
  if (reply.type === 'absent') {
    return undefined;
  }
  if (reply.size !== size) {
    throw new NetworkError('BLOB_MISMATCH', `a blob of ${size} bytes, offered as ${reply.size}`);
  }
  return reply;
}

/** Chunks that are still wanted, handed out to whoever asks; a chunk that failed is given back. */
export interface ChunkPlan {
  /** The next wanted chunk; undefined when there is none now (all are given out, or too far ahead). */
  next(): number | undefined;
  giveBack(index: number): void;
  /** Takes a verified chunk. May wait until the chunks before it are written. */
  deliver(index: number, bytes: Uint8Array): Promise<void>;
  /** Resolves when `next` may answer differently, or everything is delivered. */
  changed(): Promise<void>;
  readonly complete: boolean;
}

/**
 * Pulls chunks from one peer until the plan is complete, with at most four requests unanswered, and checks
 * each against the peer's own list before it is delivered. Chunks that were asked for and not delivered are
 * given back to the plan, whatever happens. `waitForOthers` bounds the wait for chunks that other peers owe.
 *
 * @throws {NetworkError} `BLOB_MISMATCH` when a chunk is not what the peer's list says; `STREAM_CLOSED` when
 * the peer no longer has the blob; `TIMEOUT`, …
 */
export async function pullChunks(
  exchange: Exchange,
  digest: Uint8Array,
  list: BlobAnswer,
  plan: ChunkPlan,
  waitForOthers: (change: Promise<void>) => Promise<void>,
): Promise<void> {
  const asked: number[] = [];
  try {
    while (!plan.complete) {
      askMore(exchange, digest, plan, asked);
      const index = asked[0];
      if (index === undefined) {
        await waitForOthers(plan.changed());
        continue;
      }
      const bytes = await receiveChunk(exchange, list, index);
      await plan.deliver(index, bytes);
      asked.shift();
    }
  } finally {
    for (const index of asked) {
      plan.giveBack(index);
    }
  }
}

function askMore(exchange: Exchange, digest: Uint8Array, plan: ChunkPlan, asked: number[]): void {
  while (asked.length < PROTOCOL_LIMITS.blobWindow) {
    const index = plan.next();
    if (index === undefined) {
      return;
    }
    asked.push(index);
    exchange.send(encodeBlobMessage({ type: 'chunk', digest, index }));
  }
}

async function receiveChunk(
  exchange: Exchange,
  list: BlobAnswer,
  index: number,
): Promise<Uint8Array> {
  const reply = decodeBlobReply(await exchange.receive());
  if (reply.type === 'absent') {
    throw new NetworkError('STREAM_CLOSED', 'the peer no longer has the blob');
  }
  if (reply.type !== 'bytes' || reply.index !== index) {
    throw new NetworkError(
      'PROTOCOL_VIOLATION',
      `chunk ${index} was asked for, got another answer`,
    );
  }
  const promised = list.chunks[index];
  const length = chunkLength(list.size, index);
  const got = createHash('sha256').update(reply.bytes).digest();
  if (reply.bytes.length !== length || promised === undefined || !got.equals(promised)) {
    throw new NetworkError('BLOB_MISMATCH', `chunk ${index} is not the one that was promised`);
  }
  return reply.bytes;
}
