import { type Clock, within } from './clock.ts';
import { NetworkError } from './error.ts';

/** The length that precedes a frame: four bytes, unsigned, most significant first. */
const PREFIX_BYTES = 4;

/** What a reader of frames accepts. */
export interface FrameReaderInit {
  /** A longer frame is refused on its prefix, before its bytes are taken. */
  maxFrameBytes: number;
  /** Longest silence before a frame begins. */
  idleTimeoutMs: number;
  /** Longest time from a frame's first byte to its last. */
  frameTimeoutMs: number;
}

/** Puts each payload behind its length. */
export async function* encodeFrames(
  payloads: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const payload of payloads) {
    yield encodeFrame(payload);
  }
}

/** One payload behind its length. @throws {RangeError} when it is empty or over 4 GiB. */
export function encodeFrame(payload: Uint8Array): Uint8Array {
  if (payload.length === 0 || payload.length >= 2 ** 32) {
    throw new RangeError(`a frame holds 1 to 2^32-1 bytes, got ${payload.length}`);
  }
  const frame = new Uint8Array(PREFIX_BYTES + payload.length);
  new DataView(frame.buffer).setUint32(0, payload.length);
  frame.set(payload, PREFIX_BYTES);
  return frame;
}

/**
 * Cuts a stream of bytes into payloads. Memory is at most twice the bytes that arrived of the largest
 * frame: a declared length allocates nothing, and single bytes cost no more than blocks.
 *
 * @throws {NetworkError} `FRAME_TOO_LARGE`; `FRAME_MALFORMED` for an empty frame or an end within
 * a frame; `TIMEOUT`.
 */
export function frameReader(
  clock: Clock,
  init: FrameReaderInit,
): (source: AsyncIterable<Uint8Array>) => AsyncGenerator<Uint8Array, void, undefined> {
  return async function* decodeFrames(source) {
    const iterator = source[Symbol.asyncIterator]();
    const held = createByteQueue();
    let frameBeganMs = clock.now();
    let ended = false;

    /** Pulls until `count` bytes are held; false when the stream ends first. */
    const fill = async (count: number, frameBegun: boolean): Promise<boolean> => {
      while (held.length < count) {
        const begun = frameBegun || held.length > 0;
        const leftMs = begun
          ? frameBeganMs + init.frameTimeoutMs - clock.now()
          : init.idleTimeoutMs;
        const what = begun ? 'the rest of a frame' : 'the wait for a frame';
        if (leftMs <= 0) {
          // Said here too: bytes that keep arriving would always be ahead of a timer.
          throw new NetworkError('TIMEOUT', `${what} took longer than ${init.frameTimeoutMs} ms`);
        }
        const next = await within(clock, leftMs, what, iterator.next());
        if (next.done === true) {
          ended = true;
          return false;
        }
        if (!begun) {
          frameBeganMs = clock.now();
        }
        held.append(next.value);
      }
      return true;
    };

    try {
      while (true) {
        frameBeganMs = clock.now();
        if (!(await fill(PREFIX_BYTES, false))) {
          if (held.length === 0) {
            return;
          }
          throw new NetworkError('FRAME_MALFORMED', 'the stream ended within a length prefix');
        }
        const length = new DataView(held.take(PREFIX_BYTES).buffer).getUint32(0);
        checkLength(length, init.maxFrameBytes);
        if (!(await fill(length, true))) {
          throw new NetworkError('FRAME_MALFORMED', 'the stream ended within a frame');
        }
        yield held.take(length);
      }
    } finally {
      if (!ended) {
        // Not awaited: a source that waits for its peer settles only when the stream is closed.
        iterator.return?.(undefined).catch(alreadyReported);
      }
    }
  };
}

/** The reader is gone; why the stream ended was said by its own close. */
function alreadyReported(): void {}

function checkLength(length: number, maxFrameBytes: number): void {
  if (length === 0) {
    throw new NetworkError('FRAME_MALFORMED', 'a frame must not be empty');
  }
  if (length > maxFrameBytes) {
    throw new NetworkError(
      'FRAME_TOO_LARGE',
      `a frame may have ${maxFrameBytes} bytes, got one of ${length}`,
    );
  }
}

/** Bytes in order of arrival, in one buffer that at most doubles. */
function createByteQueue(): {
  readonly length: number;
  append(bytes: Uint8Array): void;
  take(count: number): Uint8Array<ArrayBuffer>;
} {
  let buffer = new Uint8Array(0);
  let start = 0;
  let end = 0;
  return {
    get length() {
      return end - start;
    },
    append(bytes) {
      if (end + bytes.length > buffer.length) {
        const held = buffer.subarray(start, end);
        const needed = held.length + bytes.length;
        const next = needed > buffer.length ? new Uint8Array(2 * needed) : buffer;
        next.set(held);
        buffer = next;
        end -= start;
        start = 0;
      }
      buffer.set(bytes, end);
      end += bytes.length;
    },
    take(count) {
      const taken = buffer.slice(start, start + count);
      start += count;
      if (start === end) {
        // The buffer stays: the next frame is often as large.
        start = 0;
        end = 0;
      }
      return taken;
    },
  };
}
