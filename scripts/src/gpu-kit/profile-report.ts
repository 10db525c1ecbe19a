import { dataSheetOf } from './data-sheet.ts';
import type { EngineChoice } from './kit-engine.ts';
import type { KitPlan } from './kit-plan.ts';
import type { PeaksRow, PeaksSettings } from './peaks-part.ts';
import { type Floor, floorMs, sharesOf } from './profile-kernels.ts';
import type { ProfileRow } from './profile-part.ts';
import type { Report } from './report.ts';
import { type RunInit, runPart } from './run-part.ts';
import { textTable } from './text-table.ts';

/** Measures what the engine can reach, profiles a training step and a reading, and tells where the time goes beside what it takes at least. */
export async function reportProfile(
  choice: EngineChoice & Pick<PeaksSettings, 'tensors'> & { readonly device: string },
  plan: KitPlan,
  init: RunInit,
  report: Report,
): Promise<void> {
  const most = choice.tensors === 'tiny' ? 2 : 30;
  const patience = { ...plan.patience, warmUps: 1, atLeast: Math.min(9, most), atMost: most };
  const peaks = await runPart('peaks', { ...choice, patience }, init);
  const reached = peaks.rows[0] ?? unknownPeaks;
  report.record('peaks', peaks.rows[0] ?? peaks.why);
  report.print(
    peaks.ended === 'done'
      ? `This engine reaches ${reached.gflopPerSecond.toFixed(0)} GFLOP/s in a 3×3 convolution of 64 channels and ${reached.gbytePerSecond.toFixed(1)} GB/s elementwise; an operator with nothing to do takes ${reached.launchMicroseconds.toFixed(1)} µs.`
      : `What the engine reaches at best is not known, and so no floor: ${peaks.ended}: ${peaks.why}`,
  );
  const sheet = dataSheetOf(choice.device);
  const rows: ProfileRow[] = [];
  for (const work of ['training step', 'reading'] as const) {
    const step = work === 'reading' ? plan.profile.reading : plan.profile.training;
    const settings = { ...choice, ...step, work, runs: plan.profile.runs };
    const outcome = await runPart('profile', settings, init);
    rows.push(...outcome.rows);
    report.record('profile', rows);
    for (const row of outcome.rows) tell(row, reached, sheet, report);
    if (outcome.ended !== 'done') report.print(`profile: ${outcome.ended}: ${outcome.why}`);
  }
}

const unknownPeaks: PeaksRow = {
  gflopPerSecond: Number.POSITIVE_INFINITY,
  gbytePerSecond: Number.POSITIVE_INFINITY,
  launchMicroseconds: 0,
};

function tell(
  { work, batch, size, clock, runMs, kernels }: ProfileRow,
  reached: PeaksRow,
  sheet: Floor | null,
  report: Report,
): void {
  const shares = sharesOf(kernels, reached);
  const sum = (pick: (share: (typeof shares)[number]) => number): number =>
    shares.reduce((total, share) => total + pick(share), 0);
  const stated = (floor: Floor | null): string =>
    floor === null
      ? 'data sheet not known'
      : `${kernels.reduce((total, kernel) => total + floorMs(kernel, floor), 0).toFixed(2)} ms by the data sheet`;
  report.print(
    `\nProfile of a ${work}, ${batch} × ${size}² (times by the ${clock}'s clock): ${kernels.length} operators, ${sum(({ ms }) => ms).toFixed(2)} ms of ${runMs.toFixed(2)} ms; floor ${sum((share) => share.floorMs).toFixed(2)} ms by what the engine reaches, ${stated(sheet)}; launches ${((kernels.length * reached.launchMicroseconds) / 1000).toFixed(2)} ms`,
  );
  report.print(
    textTable(
      ['operator', 'count', 'ms', 'share', 'GFLOP', 'MB', 'floor ms', 'of floor'],
      shares
        .slice(0, 12)
        .map(({ op, count, ms, share, gflop, mbyte, floorMs: floor }) => [
          op,
          String(count),
          ms,
          `${(100 * share).toFixed(1)} %`,
          gflop,
          mbyte,
          floor,
          floor > 0 ? `${(ms / floor).toFixed(1)} ×` : '-',
        ]),
    ),
  );
  const dearest = kernels.toSorted((a, b) => b.ms - a.ms).slice(0, 8);
  report.print('The dearest single operators:');
  report.print(
    textTable(
      ['layer', 'operator', 'ms', 'floor ms'],
      dearest.map((kernel) => [kernel.name, kernel.op, kernel.ms, floorMs(kernel, reached)]),
    ),
  );
}
