import { ClientError } from './error.ts';
import {
  bodyOf,
  type ClientComponents,
  MAX_ANSWER_BYTES,
  type NodeAddress,
  type Opened,
  open,
  refusal,
  sha256,
  verifySigned,
} from './exchange.ts';

export interface DownloadOptions {
  readonly signal?: AbortSignal;
  /** Called with bytes here and bytes in all, after every piece. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A file whose every byte the site vouched for. */
export interface Download {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly etag: string;
}

/** The most that a file may have: twice the largest layout's float32 values. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;
/** Times in a row that a transfer may break off without a byte of progress. */
const fruitlessTries = 5;
const pauseMs = 1_000;

/** What is here of a file. */
interface Partial {
  etag: string;
  digest: Uint8Array;
  mediaType: string;
  bytes: Buffer;
  length: number;
}

/**
 * Downloads a file. A transfer that breaks off is gone on with where it stopped (Range, If-Range), also when the node was restarted in between; when the file
 * has changed meanwhile it begins anew. A node that asks for patience (429, 503) gets it.
 *
 * Guarantee: what is returned has the SHA-256 that the site signed for this question.
 *
 * @throws {ClientError} `UNREACHABLE` after {@link fruitlessTries} tries in a row without a byte, `SIGNATURE`, `ANSWER`, `REFUSED`. @throws the signal's reason.
 */
export async function download(
  components: ClientComponents,
  node: NodeAddress,
  target: string,
  { signal, onProgress }: DownloadOptions = {},
): Promise<Download> {
  let held: Partial | null = null;
  for (let tries = 0; tries < fruitlessTries; tries++) {
    const before: number = held?.length ?? 0;
    try {
      const opened = await open(components, node, target, rangeHeaders(held), signal);
      held = await begun(opened, node, target, held, signal);
      await fill(held, opened.response, signal, onProgress);
      return finished(held);
    } catch (error) {
      signal?.throwIfAborted();
      const waitMs = waitBeforeAgain(error);
      if (waitMs === null) throw error;
      if ((held?.length ?? 0) > before) tries = -1;
      if (tries + 1 >= fruitlessTries) throw error;
      await components.pause(waitMs, signal);
    }
  }
  throw new ClientError('UNREACHABLE', `${target} broke off ${fruitlessTries} times`);
}

function rangeHeaders(held: Partial | null): Record<string, string> {
  // What is compressed on the way has other lengths.
  const whole = { 'accept-encoding': 'identity' };
  if (held === null || held.length === 0) return whole;
  return { ...whole, range: `bytes=${held.length}-`, 'if-range': held.etag };
}

/** What there is of the file after the headers of an answer: the part that was here, or a new beginning. */
async function begun(
  opened: Opened,
  node: NodeAddress,
  target: string,
  held: Partial | null,
  signal: AbortSignal | undefined,
): Promise<Partial> {
  const { response } = opened;
  if (response.status !== 200 && response.status !== 206) {
    const body = await bodyOf(response, MAX_ANSWER_BYTES, signal);
    throw withWait(refusal(opened, node, target, body), response);
  }
  const digest = verifySigned(opened, node.site, target, null);
  const etag = response.headers.get('etag') ?? '';
  const mediaType = response.headers.get('content-type') ?? '';
  if (response.status === 200) {
    const total = sizeOf(response.headers.get('content-length'));
    return { etag, digest, mediaType, bytes: Buffer.alloc(total), length: 0 };
  }
  const [, first, total] =
    /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '') ?? [];
  const continues =
    held !== null &&
    etag === held.etag &&
    Buffer.compare(digest, held.digest) === 0 &&
    Number(first) === held.length &&
    Number(total) === held.bytes.length;
  if (!continues) throw new ClientError('ANSWER', 'the part that came is not the part asked for');
  return held;
}

async function fill(
  held: Partial,
  response: Response,
  signal: AbortSignal | undefined,
  onProgress: DownloadOptions['onProgress'],
): Promise<void> {
  try {
    for await (const part of response.body ?? []) {
      if (held.length + part.length > held.bytes.length) {
        throw new ClientError('ANSWER', 'more bytes came than were announced');
      }
      held.bytes.set(part, held.length);
      held.length += part.length;
      onProgress?.(held.length, held.bytes.length);
    }
  } catch (cause) {
    if (cause instanceof ClientError) throw cause;
    signal?.throwIfAborted();
    throw new ClientError('UNREACHABLE', 'the transfer broke off', { cause });
  }
  if (held.length < held.bytes.length) {
    throw new ClientError('UNREACHABLE', 'the transfer ended early');
  }
}

function finished({ bytes, digest, mediaType, etag }: Partial): Download {
  if (Buffer.compare(sha256(bytes), digest) !== 0) {
    throw new ClientError('SIGNATURE', 'the file is not the one that the site signed');
  }
  return { bytes: new Uint8Array(bytes), mediaType, etag };
}

/** The size that is announced. Nothing is allocated for more than {@link MAX_FILE_BYTES}. */
function sizeOf(header: string | null): number {
  const size = /^\d{1,10}$/.test(header ?? '') ? Number(header) : Number.NaN;
  if (!(size <= MAX_FILE_BYTES)) {
    throw new ClientError('ANSWER', `a file of ${header} bytes, at most ${MAX_FILE_BYTES}`);
  }
  return size;
}

/** An error that says for how long the node wants to be left alone. */
class Wait extends ClientError {
  readonly waitMs: number;
  constructor(error: ClientError, waitMs: number) {
    super(error.code, error.message, {
      cause: error.cause,
      ...(error.problem === null ? {} : { problem: error.problem }),
    });
    this.waitMs = waitMs;
  }
}

/** At most a minute is waited for: nobody may make a client sleep for a day. */
function withWait(error: ClientError, response: Response): ClientError {
  if (response.status !== 429 && response.status !== 503) return error;
  const seconds = Number(response.headers.get('retry-after') ?? 1);
  return new Wait(error, 1000 * Math.min(60, Number.isFinite(seconds) ? Math.max(1, seconds) : 1));
}

/** How long to wait before a failed transfer is tried again; null when that would not help. */
function waitBeforeAgain(error: unknown): number | null {
  if (error instanceof Wait) return error.waitMs;
  return error instanceof ClientError && error.code === 'UNREACHABLE' ? pauseMs : null;
}
