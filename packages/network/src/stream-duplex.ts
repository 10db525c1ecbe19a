import type { Stream } from '@libp2p/interface';
import type { Clock } from './clock.ts';
import { NetworkError } from './error.ts';

/** Both ends of a stream, as it-pipe takes them: a pulled source and a sink that waits for room. */
export interface StreamDuplex {
  source: AsyncGenerator<Uint8Array, void, undefined>;
  sink: (source: AsyncIterable<Uint8Array>) => Promise<void>;
}

/** What may be tuned. */
export interface StreamDuplexInit {
  /** Bytes held for the reader; above it the peer is told to stop sending. */
  maxBufferedBytes: number;
  /** Longest wait for the peer to make room, and for the last bytes to leave. */
  writeTimeoutMs: number;
}

/**
 * A libp2p stream with back-pressure in both directions.
 *
 * A libp2p 3 stream pushes: iterating over it, or `messageStreamToDuplex`, queues without bound what a
 * fast peer sends to a slow reader. Here the stream is paused above `maxBufferedBytes`, which stops the
 * peer by the muxer's window. Memory per stream is at most that figure plus one window.
 *
 * The source ends when the peer has closed its writing half and everything is read, and throws
 * `STREAM_CLOSED` when the stream is reset. The sink closes the writing half at the end of its source,
 * and throws `TIMEOUT` when the peer makes no room. Listeners are attached before this returns, so a
 * protocol handler must call it at once.
 */
export function streamDuplex(stream: Stream, clock: Clock, init: StreamDuplexInit): StreamDuplex {
  return {
    source: readableSource(stream, init.maxBufferedBytes),
    sink: (source) => writeAll(stream, source, clock, init.writeTimeoutMs),
  };
}

// What one queued piece costs besides its bytes, so that a peer sending single bytes is paused in time.
const PIECE_OVERHEAD_BYTES = 256;

function readableSource(
  stream: Stream,
  maxBufferedBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const queue: Uint8Array[] = [];
  let buffered = 0;
  let closed = stream.status !== 'open';
  let failure: Error | undefined;
  let wake: (() => void) | undefined;

  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  const onMessage = (event: Event & { data: { subarray(): Uint8Array } }): void => {
    const bytes = event.data.subarray();
    queue.push(bytes);
    buffered += bytes.length + PIECE_OVERHEAD_BYTES;
    if (buffered > maxBufferedBytes && stream.readStatus === 'readable') {
      stream.pause();
    }
    notify();
  };
  const onEnd = (): void => {
    notify();
  };
  const onClose = (event: Event & { error?: Error }): void => {
    closed = true;
    failure = event.error;
    notify();
  };
  stream.addEventListener('message', onMessage);
  stream.addEventListener('end', onEnd);
  stream.addEventListener('close', onClose);

  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      while (true) {
        const next = queue.shift();
        if (next !== undefined) {
          buffered -= next.length + PIECE_OVERHEAD_BYTES;
          yield next;
          continue;
        }
        if (stream.readStatus === 'paused') {
          // Hands over at once what the stream held back, so look at the queue again.
          stream.resume();
          continue;
        }
        if (failure !== undefined) {
          throw new NetworkError('STREAM_CLOSED', 'the peer reset the stream', { cause: failure });
        }
        if (closed || stream.readableEnded) {
          return;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      stream.removeEventListener('message', onMessage);
      stream.removeEventListener('end', onEnd);
      stream.removeEventListener('close', onClose);
    }
  }
  return read();
}

async function writeAll(
  stream: Stream,
  source: AsyncIterable<Uint8Array>,
  clock: Clock,
  timeoutMs: number,
): Promise<void> {
  for await (const bytes of source) {
    if (stream.writeStatus !== 'writable') {
      throw new NetworkError('STREAM_CLOSED', 'the stream closed while writing');
    }
    if (!stream.send(bytes)) {
      await room(stream, clock, timeoutMs);
    }
  }
  const giveUp = new AbortController();
  const cancel = clock.after(timeoutMs, () =>
    giveUp.abort(new NetworkError('TIMEOUT', 'the last bytes of a stream did not leave')),
  );
  try {
    await stream.close({ signal: giveUp.signal });
  } finally {
    cancel();
  }
}

/** Waits for the `drain` event itself: `stream.onDrain()` keeps its first promise and waits only once. */
function room(stream: Stream, clock: Clock, timeoutMs: number): Promise<void> {
  if (!stream.writableNeedsDrain) {
    return Promise.resolve();
  }
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      cancel();
      stream.removeEventListener('drain', onDrain);
      stream.removeEventListener('close', onClose);
      if (error === undefined) {
        resolve();
      } else {
        reject(error);
      }
    };
    const onDrain = (): void => settle();
    const onClose = (): void =>
      settle(new NetworkError('STREAM_CLOSED', 'the stream closed while writing'));
    const cancel = clock.after(timeoutMs, () =>
      settle(new NetworkError('TIMEOUT', `the peer took no bytes for ${timeoutMs} ms`)),
    );
    stream.addEventListener('drain', onDrain);
    stream.addEventListener('close', onClose);
  });
}
