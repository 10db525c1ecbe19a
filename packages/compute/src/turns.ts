/** Runs pieces of work one after the other, in the order of the calls; a failure is its own caller's alone. */
export interface Turns {
  take<T>(work: () => Promise<T>): Promise<T>;
  /** Settles when everything asked for so far has ended. */
  idle(): Promise<void>;
}

export function createTurns(): Turns {
  let last: Promise<void> = Promise.resolve();
  return {
    take(work) {
      const result = last.then(work);
      last = result.then(ignore, ignore);
      return result;
    },
    idle: () => last,
  };
}

function ignore(): void {}
