/** Tells a person how far a long run is: one line that renews itself in a terminal, a line every half minute elsewhere. */
export interface Progress {
  /** Work that is done now, in steps or their equivalent; `cached` work does not count into the rate. */
  add(work: number, cached?: boolean): void;
  /** Counts a finished part of the second kind, e.g. a reading. */
  count(): void;
  /** May be called again. */
  stop(): void;
}

export function createProgress(total: number, parts: number): Progress {
  const started = performance.now();
  let done = 0;
  let worked = 0;
  let finished = 0;
  const isTerminal = process.stderr.isTTY === true;
  const show = (): void => {
    const seconds = (performance.now() - started) / 1000;
    const rate = worked / seconds;
    const left = rate > 0 ? `${Math.ceil((total - done) / rate / 60)} min left` : 'no rate yet';
    const line = `${((100 * done) / total).toFixed(1).padStart(5)} %  ${finished}/${parts} readings  ${rate.toFixed(1)} steps/s  ${left}`;
    process.stderr.write(isTerminal ? `\r${line.padEnd(70)}` : `${line}\n`);
  };
  let isStopped = false;
  const timer = setInterval(show, isTerminal ? 1000 : 30_000);
  return {
    add: (work, cached = false) => {
      done += work;
      worked += cached ? 0 : work;
    },
    count: () => {
      finished += 1;
    },
    stop: () => {
      if (isStopped) {
        return;
      }
      isStopped = true;
      clearInterval(timer);
      show();
      process.stderr.write('\n');
    },
  };
}
