import { errorFields, type Logger } from './logger.ts';

/** Work that nobody waits for while it runs. */
export interface Background {
  /** Takes over `work`; when it fails, that is a line in the log and nothing else. */
  run(what: string, work: Promise<unknown>): void;
  /** Resolves when everything taken over has ended. */
  settled(): Promise<void>;
}

/** After `signal` aborts, failures are expected and not logged. */
export function createBackground(logger: Logger, signal: AbortSignal): Background {
  const running = new Set<Promise<void>>();
  return {
    run: (what, work) => {
      const ended = work.then(
        () => {},
        (error: unknown) => {
          if (!signal.aborted) {
            logger.debug({ what, ...errorFields(error) }, 'background work failed');
          }
        },
      );
      running.add(ended);
      void ended.then(() => running.delete(ended));
    },
    settled: async () => {
      while (running.size > 0) {
        await Promise.all(running);
      }
    },
  };
}
