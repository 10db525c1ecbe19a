/** Tells on stderr how far a long benchmark is. */
export interface Progress {
  /** Work done on `what`, in the unit of the total; a line now and then. */
  add(work: number, what: string): void;
  /** A line of its own, now, with the time left. */
  say(text: string): void;
}

const millisecondsBetweenLines = 10_000;
/** Before this part of the work is done, a guess of the time left would be of no use. */
const least = 0.04;

/** The time left is guessed from the work done so far, and left out while that is little. */
export function createProgress(total: number): Progress {
  const started = performance.now();
  let saidAt = started;
  let done = 0;
  const say = (text: string): void => {
    saidAt = performance.now();
    const minutes = (saidAt - started) / 60_000;
    const left = (minutes / done) * (total - done);
    const guess = done < least * total ? '' : `, ${left < 1 ? '<1' : Math.ceil(left)} min left`;
    process.stderr.write(`${((100 * done) / total).toFixed(0).padStart(3)} %${guess}: ${text}\n`);
  };
  return {
    add(work, what) {
      done += work;
      if (performance.now() - saidAt > millisecondsBetweenLines) say(what);
    },
    say,
  };
}
