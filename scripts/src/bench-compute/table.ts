import type { CaseFigures } from './figures.ts';

/** One row for each case and number of threads, for `console.table`. */
export function tableOf(cases: readonly CaseFigures[]): Record<string, string | number>[] {
  return cases.map(({ title, threads, figures, ratios, bars, missed }) => {
    const [ours] = figures;
    const torch = figures.find(({ contestant }) => contestant === 'torch');
    const ratio = ratios.find(({ peer }) => peer === 'torch');
    const others = ratios.filter(({ peer }) => peer !== 'torch');
    return {
      case: title,
      threads,
      ours: ours === undefined ? '-' : inSeconds(ours.medianMs),
      PyTorch: torch === undefined ? '-' : inSeconds(torch.medianMs),
      ratio: two(ratio?.wall),
      rounds: ratio === undefined ? '-' : ratio.wallByRound.map(two).join('–'),
      'CPU ratio': two(ratio?.cpu),
      bar: bars.wall ?? '-',
      'GFLOP/s': rates(figures.map(({ gflopPerSecond }) => gflopPerSecond)),
      '% of peak': rates(figures.map(({ percentOfPeak }) => percentOfPeak)),
      MiB: rates(figures.map(({ peakMebibytes }) => peakMebibytes ?? Number.NaN)),
      memory: two(ratio?.memory ?? undefined),
      others: others.map(({ peer, wall }) => `${two(wall)} of ${peer}`).join(', '),
      missed: missed.join('; '),
    };
  });
}

function inSeconds(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

function two(value: number | undefined): string {
  return value === undefined ? '-' : value.toFixed(2);
}

function rates(values: readonly number[]): string {
  return values.map((value) => (Number.isNaN(value) ? '-' : value.toFixed(0))).join(' / ');
}
