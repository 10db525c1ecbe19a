import type { RunTime } from './assignment.ts';
import type { Contestant } from './contestant.ts';

/** How a case's runs are divided: in each round everyone has one turn. */
export interface Schedule {
  readonly rounds: number;
  readonly runsPerTurn: number;
}

/** What one contestant needed, round by round. */
export interface Lap {
  readonly kind: Contestant['kind'];
  readonly name: string;
  readonly rounds: readonly (readonly RunTime[])[];
  readonly peakBytes: number | null;
}

// About a second of one core: long enough that a turn meets warm caches, short enough that both meet the same machine.
const flopsPerTurn = 60e9;
const flopsPerCase = 500e9;
const mostRunsPerTurn = 10;
const fewestRounds = 4;

/** Fewer rounds for long cases; a scan is read once, all of it or as many batches as `timedRuns` says. */
export function scheduleOf(
  { flops, timedRuns }: { readonly flops: number; readonly timedRuns?: number },
  mostRounds: number,
): Schedule {
  const runsPerTurn = Math.min(mostRunsPerTurn, Math.max(1, Math.round(flopsPerTurn / flops)));
  if (timedRuns !== undefined) {
    const runs = Math.min(runsPerTurn, timedRuns);
    return { rounds: Math.ceil(timedRuns / runs), runsPerTurn: runs };
  }
  const affordable = Math.round(flopsPerCase / (runsPerTurn * flops));
  return { rounds: Math.min(mostRounds, Math.max(fewestRounds, affordable)), runsPerTurn };
}

/**
 * Everyone runs in turn, in an order that is reversed from round to round, after one run each to warm up.
 * `afterTurn` hears of every run that is done.
 */
export async function race(
  contestants: readonly Contestant[],
  { rounds, runsPerTurn }: Schedule,
  afterTurn: (runs: number) => void,
): Promise<Lap[]> {
  const laps = contestants.map((contestant) => ({
    contestant,
    rounds: [] as RunTime[][],
    peakBytes: null as number | null,
  }));
  for (const { contestant } of laps) {
    await contestant.run(1);
    afterTurn(1);
  }
  for (let round = 0; round < rounds; round++) {
    for (const lap of round % 2 === 0 ? laps : [...laps].reverse()) {
      const { times, peakBytes } = await lap.contestant.run(runsPerTurn);
      lap.rounds.push([...times]);
      lap.peakBytes = peakBytes;
      afterTurn(runsPerTurn);
    }
  }
  return laps.map(({ contestant: { kind, greeting }, ...lap }) => ({
    kind,
    name: greeting.name,
    ...lap,
  }));
}
