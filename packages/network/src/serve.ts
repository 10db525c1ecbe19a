import type { Stream } from '@libp2p/interface';
import { pipe } from 'it-pipe';
import type { Clock } from './clock.ts';
import { asError } from './exchange.ts';
import { encodeFrames, frameReader } from './framing.ts';
import { PROTOCOL_LIMITS } from './limits.ts';
import type { PeerGuard } from './peer-guard.ts';
import { streamDuplex } from './stream-duplex.ts';

/** Turns requests into answers, in order, one for each. */
export type Answers = (
  requests: AsyncIterable<Uint8Array>,
) => AsyncGenerator<Uint8Array, void, undefined>;

/** How long a served stream may take. */
export interface ServeInit {
  idleTimeoutMs: number;
  requestTimeoutMs: number;
}

/**
 * Serves one stream that a peer opened until the peer ends it. A peer above its rate is slowed, by
 * not reading from it. Memory per stream: one request, one answer, one window.
 *
 * @throws whatever ended the stream early, after resetting it; the caller judges and logs it.
 */
export async function serveStream(
  stream: Stream,
  clock: Clock,
  guard: PeerGuard,
  answers: Answers,
  init: ServeInit,
  signal: AbortSignal,
): Promise<void> {
  const duplex = streamDuplex(stream, clock, {
    maxBufferedBytes: PROTOCOL_LIMITS.requestBytes,
    writeTimeoutMs: init.requestTimeoutMs,
  });
  const onAbort = (): void => stream.abort(asError(signal.reason));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    await pipe(
      duplex.source,
      frameReader(clock, {
        maxFrameBytes: PROTOCOL_LIMITS.requestBytes,
        idleTimeoutMs: init.idleTimeoutMs,
        frameTimeoutMs: init.requestTimeoutMs,
      }),
      (requests) => slowed(requests, guard, signal),
      answers,
      (replies) => paid(replies, guard, signal),
      encodeFrames,
      duplex.sink,
    );
  } catch (error) {
    stream.abort(asError(error));
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function* slowed(
  requests: AsyncIterable<Uint8Array>,
  guard: PeerGuard,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const request of requests) {
    await guard.request(request.length, signal);
    yield request;
  }
}

async function* paid(
  replies: AsyncIterable<Uint8Array>,
  guard: PeerGuard,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const reply of replies) {
    await guard.bytes(reply.length, signal);
    yield reply;
  }
}
