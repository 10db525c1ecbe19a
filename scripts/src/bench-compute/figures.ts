import { memoryBar, timeBarOf } from './bars.ts';
import type { BenchCase, CaseGroup } from './cases.ts';
import type { ContestantKind } from './contestant.ts';
import { middle } from './middle.ts';
import type { Lap } from './race.ts';

/** What one contestant needed for the whole of a case: a step, or a scan. */
export interface Figure {
  readonly contestant: ContestantKind;
  readonly name: string;
  readonly medianMs: number;
  readonly fastestMs: number;
  readonly medianCpuMs: number;
  readonly gflopPerSecond: number;
  /** Of the fastest matrix product that anybody reached on as many threads in the same run. */
  readonly percentOfPeak: number;
  readonly peakMebibytes: number | null;
  readonly timedRuns: number;
}

/** Ours by a peer's. Below 1 we are better. */
export interface Ratio {
  readonly peer: ContestantKind;
  /** Of the medians by the clock. */
  readonly wall: number;
  /** The lowest and the highest of the single rounds' ratios. */
  readonly wallByRound: readonly [lowest: number, highest: number];
  /** Of the medians of processor time. */
  readonly cpu: number;
  readonly memory: number | null;
}

export interface CaseFigures {
  readonly id: string;
  readonly title: string;
  readonly group: CaseGroup;
  readonly threads: number;
  /** Of the whole. */
  readonly gflop: number;
  readonly figures: readonly Figure[];
  readonly ratios: readonly Ratio[];
  /** What the ratios against PyTorch are held to. */
  readonly bars: { readonly wall: number | null; readonly memory: number };
  /** The bars that are missed, in words. */
  readonly missed: readonly string[];
}

/** The first of `laps` is ours. `peakGflopPerSecond` is the machine's for as many threads. */
export function figuresOf(
  benchCase: BenchCase,
  threads: number,
  laps: readonly Lap[],
  peakGflopPerSecond: number,
): CaseFigures {
  const { id, title, group, flops, runsInWhole } = benchCase;
  const gflop = (flops * runsInWhole) / 1e9;
  const figures = laps.map(({ kind, name, rounds, peakBytes }): Figure => {
    const wallMs = rounds.flat().map((run) => run.wallMs);
    const medianMs = middle(wallMs) * runsInWhole;
    const gflopPerSecond = gflop / (medianMs / 1000);
    return {
      contestant: kind,
      name,
      medianMs,
      fastestMs: Math.min(...wallMs) * runsInWhole,
      medianCpuMs: middle(rounds.flat().map((run) => run.cpuMs)) * runsInWhole,
      gflopPerSecond,
      percentOfPeak: (100 * gflopPerSecond) / peakGflopPerSecond,
      peakMebibytes: peakBytes === null ? null : peakBytes / 2 ** 20,
      timedRuns: wallMs.length,
    };
  });
  const [ours, ...peers] = laps;
  const ratios = ours === undefined ? [] : peers.map((peer) => ratioOf(ours, peer));
  const bars = { wall: timeBarOf(benchCase, threads), memory: memoryBar };
  const torch = ratios.find(({ peer }) => peer === 'torch');
  return {
    id,
    title,
    group,
    threads,
    gflop,
    figures,
    ratios,
    bars,
    missed: missedBars(torch, bars),
  };
}

function ratioOf(ours: Lap, peer: Lap): Ratio {
  const quotient = (kind: 'wallMs' | 'cpuMs', pick: (lap: Lap) => Lap['rounds']): number => {
    const [mine, theirs] = [ours, peer].map((lap) =>
      middle(
        pick(lap)
          .flat()
          .map((run) => run[kind]),
      ),
    );
    return (mine ?? Number.NaN) / (theirs ?? Number.NaN);
  };
  const byRound = ours.rounds.map((_, round) =>
    quotient('wallMs', ({ rounds }) => rounds.slice(round, round + 1)),
  );
  const all = ({ rounds }: Lap): Lap['rounds'] => rounds;
  return {
    peer: peer.kind,
    wall: quotient('wallMs', all),
    wallByRound: [Math.min(...byRound), Math.max(...byRound)],
    cpu: quotient('cpuMs', all),
    memory:
      ours.peakBytes === null || peer.peakBytes === null ? null : ours.peakBytes / peer.peakBytes,
  };
}

function missedBars(ratio: Ratio | undefined, bars: CaseFigures['bars']): string[] {
  const missed: string[] = [];
  if (ratio === undefined) return missed;
  if (bars.wall !== null && !(ratio.wall <= bars.wall)) {
    missed.push(`time ${ratio.wall.toFixed(3)}, bar ${bars.wall}`);
  }
  if (ratio.memory !== null && ratio.memory > bars.memory) {
    missed.push(`memory ${ratio.memory.toFixed(3)}, bar ${bars.memory}`);
  }
  return missed;
}
