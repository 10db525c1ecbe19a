/** Runs `work` after all earlier work for the same key has ended, well or badly, and gives its result. */
export type InTurn = <T>(key: string, work: () => Promise<T>) => Promise<T>;

/** One queue for each key. Work for different keys runs at once; a queue that is empty takes no memory. */
export function createTurns(): InTurn & { idle(): Promise<void> } {
  const last = new Map<string, Promise<void>>();

  async function inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = (last.get(key) ?? Promise.resolve()).then(work);
    const ended = turn.then(nothing, nothing);
    last.set(key, ended);
    try {
      return await turn;
    } finally {
      if (last.get(key) === ended) last.delete(key);
    }
  }

  /** Resolves when all work that was asked for until now has ended. */
  async function idle(): Promise<void> {
    await Promise.all(last.values());
  }

  return Object.assign(inTurn, { idle });
}

function nothing(): void {
  // Work that failed has told its caller; what comes after it starts all the same.
}
