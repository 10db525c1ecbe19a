import { matrixProduct } from './cases.ts';
import { type Contestant, type ContestantKind, startContestant } from './contestant.ts';
import { flopsOf } from './flops.ts';
import { race } from './race.ts';

/** How fast this machine multiplies matrices of float32: the measure of everything else. */
export interface Peak {
  /** The fastest that anybody reached. */
  readonly gflopPerSecond: number;
  readonly by: Readonly<Partial<Record<ContestantKind, number>>>;
}

const size = 1536;

/** The fastest of some products of two square matrices, by each contestant's own library, in turns. */
export async function measurePeak(
  kinds: readonly ContestantKind[],
  threads: number,
  seed: number,
): Promise<Peak> {
  const graph = matrixProduct(size);
  const work = { kind: 'product' } as const;
  const contestants: Contestant[] = [];
  try {
    for (const kind of kinds) {
      contestants.push(await startContestant(kind, { graph, work, threads, seed }));
    }
    const laps = await race(contestants, { rounds: 4, runsPerTurn: 5 }, () => {});
    const rates = laps.map(({ kind, rounds }): [ContestantKind, number] => {
      const fastestMs = Math.min(...rounds.flat().map(({ wallMs }) => wallMs));
      return [kind, flopsOf(graph, work) / fastestMs / 1e6];
    });
    return {
      gflopPerSecond: Math.max(...rates.map(([, rate]) => rate)),
      by: Object.fromEntries(rates),
    };
  } finally {
    await Promise.all(contestants.map((contestant) => contestant.close()));
  }
}
