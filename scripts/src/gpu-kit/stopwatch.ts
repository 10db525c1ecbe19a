/** How long to measure. */
export interface Patience {
  /** Runs that are not counted: shaders compile and caches fill in them. */
  readonly warmUps: number;
  readonly atLeast: number;
  readonly atMost: number;
  /** No further run is begun after so many milliseconds, once there are `atLeast`. */
  readonly budgetMs: number;
}

/** Milliseconds of runs by the clock. */
export interface Timing {
  readonly medianMs: number;
  readonly fastestMs: number;
  readonly runs: number;
}

/** Times `run` again and again; the warm-ups take the same work and are dropped. */
export async function timeRuns(run: () => Promise<unknown>, patience: Patience): Promise<Timing> {
  for (let i = 0; i < patience.warmUps; i++) await run();
  const times: number[] = [];
  const began = performance.now();
  while (
    times.length < patience.atLeast ||
    (times.length < patience.atMost && performance.now() - began < patience.budgetMs)
  ) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return { medianMs: median(times), fastestMs: Math.min(...times), runs: times.length };
}

/** The middle of the sorted values (the upper one of two); NaN for none. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
