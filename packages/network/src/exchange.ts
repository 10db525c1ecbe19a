import type { Connection, Stream } from '@libp2p/interface';
import { pipe } from 'it-pipe';
import { type Clock, within } from './clock.ts';
import { NetworkError } from './error.ts';
import { encodeFrames, frameReader } from './framing.ts';
import { streamDuplex } from './stream-duplex.ts';

/** One stream that this site opened: payloads out, payloads in, in order. */
export interface Exchange {
  /** Queues a payload; it leaves as soon as the peer has room. */
  send(payload: Uint8Array): void;
  /** The next payload. @throws {NetworkError} `TIMEOUT`, `STREAM_CLOSED`, `FRAME_TOO_LARGE`, … */
  receive(): Promise<Uint8Array>;
  /** `send`, then `receive`. */
  ask(payload: Uint8Array): Promise<Uint8Array>;
  /** Ends the exchange in order; never throws. */
  close(): Promise<void>;
  /** Resets the stream. */
  abort(reason: Error): void;
}

/** What an exchange needs to know. */
export interface ExchangeInit {
  protocol: string;
  maxFrameBytes: number;
  timeoutMs: number;
}

/**
 * Opens a stream of `init.protocol` on `connection`. When `signal` aborts, the stream is reset and every
 * pending call rejects.
 *
 * @throws {NetworkError} `NOT_CONNECTED`, `TIMEOUT`.
 */
export async function openExchange(
  connection: Connection,
  clock: Clock,
  init: ExchangeInit,
  signal: AbortSignal,
): Promise<Exchange> {
  const stream = await openStream(connection, clock, init, signal);
  const duplex = streamDuplex(stream, clock, {
    maxBufferedBytes: init.maxFrameBytes,
    writeTimeoutMs: init.timeoutMs,
  });
  const outgoing = createPayloadQueue();
  const onAbort = (): void => stream.abort(asError(signal.reason));
  signal.addEventListener('abort', onAbort, { once: true });

  const written = pipe(outgoing.source, encodeFrames, duplex.sink).catch((error: unknown) => {
    // The reader learns of it by the reset stream.
    stream.abort(asError(error));
  });
  const incoming = pipe(
    duplex.source,
    frameReader(clock, {
      maxFrameBytes: init.maxFrameBytes,
      idleTimeoutMs: init.timeoutMs,
      frameTimeoutMs: init.timeoutMs,
    }),
  );

  const receive = async (): Promise<Uint8Array> => {
    try {
      const next = await incoming.next();
      if (next.done === true) {
        throw new NetworkError('STREAM_CLOSED', 'the peer ended the stream before it answered');
      }
      return next.value;
    } catch (error) {
      stream.abort(asError(error));
      throw error;
    }
  };
  const close = async (): Promise<void> => {
    signal.removeEventListener('abort', onAbort);
    outgoing.end();
    try {
      await within(clock, init.timeoutMs, 'the end of a stream', written);
      const next = await incoming.next();
      if (next.done !== true) {
        throw new NetworkError('PROTOCOL_VIOLATION', 'an answer to no request');
      }
    } catch (error) {
      stream.abort(asError(error));
    }
  };
  return {
    send: (payload) => outgoing.push(payload),
    receive,
    ask: (payload) => {
      outgoing.push(payload);
      return receive();
    },
    close,
    abort: (reason) => {
      signal.removeEventListener('abort', onAbort);
      outgoing.end();
      stream.abort(reason);
    },
  };
}

async function openStream(
  connection: Connection,
  clock: Clock,
  init: ExchangeInit,
  signal: AbortSignal,
): Promise<Stream> {
  signal.throwIfAborted();
  try {
    return await within(
      clock,
      init.timeoutMs,
      `opening ${init.protocol}`,
      connection.newStream(init.protocol, { signal }),
      signal,
    );
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof NetworkError) {
      throw cause;
    }
    throw new NetworkError('NOT_CONNECTED', `cannot open ${init.protocol}`, { cause });
  }
}

/** What was thrown, as the error that libp2p wants for a reset. */
export function asError(reason: unknown): Error {
  return reason instanceof Error
    ? reason
    : new NetworkError('STREAM_CLOSED', 'aborted', { cause: reason });
}

/** Payloads that wait to be written; its length is bounded by who asks (a window). */
function createPayloadQueue(): {
  source: AsyncIterable<Uint8Array>;
  push(payload: Uint8Array): void;
  end(): void;
} {
  const queue: Uint8Array[] = [];
  let ended = false;
  let wake: (() => void) | undefined;
  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    while (true) {
      const next = queue.shift();
      if (next !== undefined) {
        yield next;
      } else if (ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }
  return {
    source: read(),
    push: (payload) => {
      queue.push(payload);
      notify();
    },
    end: () => {
      ended = true;
      notify();
    },
  };
}
