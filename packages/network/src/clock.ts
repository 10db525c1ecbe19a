import { NetworkError } from './error.ts';

/** The only source of time in this package. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Calls `callback` once, `delayMs` from now (0 or more); the returned function cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/**
 * Resolves `delayMs` from now.
 *
 * @throws the reason of `signal` when that aborts first.
 */
export function wait(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * The outcome of `promise`, if it comes within `timeoutMs`. A late rejection of `promise` is swallowed:
 * its caller has been told `TIMEOUT` or the abort reason already.
 *
 * @throws {NetworkError} `TIMEOUT`, naming `what`; or the reason of `signal`.
 */
export function within<T>(
  clock: Clock,
  timeoutMs: number,
  what: string,
  promise: Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(timeoutMs, () => {
      signal?.removeEventListener('abort', onAbort);
      reject(new NetworkError('TIMEOUT', `${what} took longer than ${timeoutMs} ms`));
    });
    const settle = (): void => {
      cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    promise.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error) => {
        settle();
        reject(error);
      },
    );
    if (signal?.aborted === true) {
      onAbort();
    } else {
      signal?.addEventListener('abort', onAbort, { once: true });
    }
  });
}

/** The outcome of `promise`, unless `signal` aborts first. @throws the reason of `signal`. */
export async function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) {
    return promise;
  }
  const gone = Promise.withResolvers<never>();
  const onAbort = (): void => gone.reject(signal.reason);
  if (signal.aborted) {
    onAbort();
  }
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, gone.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** A signal that aborts with `TIMEOUT` after `timeoutMs`, or with `parent`; dispose it when done. */
export function deadline(
  clock: Clock,
  timeoutMs: number,
  what: string,
  parent?: AbortSignal,
): { signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const cancel = clock.after(timeoutMs, () =>
    controller.abort(new NetworkError('TIMEOUT', `${what} took longer than ${timeoutMs} ms`)),
  );
  const onParent = (): void => controller.abort(parent?.reason);
  if (parent?.aborted === true) {
    onParent();
  } else {
    parent?.addEventListener('abort', onParent, { once: true });
  }
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      cancel();
      parent?.removeEventListener('abort', onParent);
    },
  };
}
