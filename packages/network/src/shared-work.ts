import { unlessAborted } from './clock.ts';

/** Runs work of one name once for all who ask while it runs. */
export interface SharedWork {
  /** The outcome of the running work `name`, begun if there is none. @throws the reason of `signal`. */
  run(name: string, signal: AbortSignal | undefined): Promise<void>;
}

/** Work is aborted when everybody who asked for it has gone. */
export function createSharedWork(
  begin: (name: string, signal: AbortSignal) => Promise<void>,
): SharedWork {
  interface Running {
    controller: AbortController;
    outcome: Promise<void>;
    waiting: number;
  }
  const running = new Map<string, Running>();

  const join = (name: string): Running => {
    const known = running.get(name);
    if (known !== undefined && !known.controller.signal.aborted) {
      return known;
    }
    const controller = new AbortController();
    const outcome = begin(name, controller.signal).finally(() => {
      if (running.get(name) === work) {
        running.delete(name);
      }
    });
    const work: Running = { controller, outcome, waiting: 0 };
    running.set(name, work);
    return work;
  };
  return {
    run: async (name, signal) => {
      signal?.throwIfAborted();
      const work = join(name);
      work.waiting += 1;
      try {
        await unlessAborted(work.outcome, signal);
      } finally {
        work.waiting -= 1;
        if (work.waiting === 0) {
          work.controller.abort(new DOMException('nobody waits for it', 'AbortError'));
        }
      }
    },
  };
}
