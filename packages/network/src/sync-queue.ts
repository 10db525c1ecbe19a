/** Runs one pull at a time for each site, and at most a few at once; asking twice while one waits asks once. */
export interface SyncQueue {
  /** Resolves or rejects as the pull that begins after this call does. */
  request(site: string): Promise<void>;
}

/** A queue over `pull`, with at most `parallel` running. */
export function createSyncQueue(
  pull: (site: string) => Promise<void>,
  parallel: number,
): SyncQueue {
  interface Turn {
    site: string;
    outcome: PromiseWithResolvers<void>;
  }
  const waiting = new Map<string, Turn>();
  const running = new Set<string>();

  const run = async ({ site, outcome }: Turn): Promise<void> => {
    running.add(site);
    try {
      outcome.resolve(await pull(site));
    } catch (error) {
      outcome.reject(error);
    } finally {
      running.delete(site);
      startNext();
    }
  };
  const startNext = (): void => {
    for (const turn of waiting.values()) {
      if (running.size >= parallel) {
        return;
      }
      if (!running.has(turn.site)) {
        waiting.delete(turn.site);
        void run(turn);
      }
    }
  };
  return {
    request: (site) => {
      const already = waiting.get(site);
      if (already !== undefined) {
        return already.outcome.promise;
      }
      const turn: Turn = { site, outcome: Promise.withResolvers<void>() };
      waiting.set(site, turn);
      startNext();
      return turn.outcome.promise;
    },
  };
}
