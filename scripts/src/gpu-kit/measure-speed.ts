import type { InferenceRow } from './inference-part.ts';
import type { EngineChoice } from './kit-engine.ts';
import { type KitPlan, scanTargetMs } from './kit-plan.ts';
import type { PartName, PartRow, PartSettings } from './part.ts';
import type { ReadingRow } from './reading-part.ts';
import type { Report } from './report.ts';
import { type RunInit, runPart } from './run-part.ts';
import { textTable } from './text-table.ts';
import type { TrainingRow } from './training-part.ts';

/** What was measured: PyTorch is compared with it. */
export interface Speed {
  readonly training: readonly TrainingRow[];
  readonly inference: readonly InferenceRow[];
  readonly reading: readonly ReadingRow[];
}

/** Times training steps, reading by the slice and by the scan, and a scan from its encoded bytes; tells each table when it is complete. */
export async function measureSpeed(
  choice: EngineChoice,
  plan: KitPlan,
  init: RunInit,
  report: Report,
): Promise<Speed> {
  const one = async <P extends PartName>(part: P, settings: PartSettings<P>, what: string) => {
    const outcome = await runPart(part, settings, init);
    if (outcome.ended !== 'done') report.print(`${what}: ${outcome.ended}: ${outcome.why}`);
    return outcome.rows;
  };
  const each = async <P extends PartName>(
    part: P,
    all: readonly PartSettings<P>[],
    what: string,
  ): Promise<PartRow<P>[]> => {
    const rows: PartRow<P>[] = [];
    for (const settings of all) rows.push(...(await one(part, settings, what)));
    return rows;
  };
  const { patience, inference: scan } = plan;

  const training = await each(
    'training',
    plan.training.map((step) => ({ ...choice, ...step, patience })),
    'training',
  );
  report.record('speed', { training });
  report.print('Training step of the reference U-Net (forward, backward, Adam):');
  report.print(
    textTable(
      ['batch', 'size', 'median ms', 'fastest ms', 'ms a slice', 'runs', 'first step ms'],
      training.map(({ batch, size, medianMs, fastestMs, runs, firstStepMs }) => [
        String(batch),
        `${size}²`,
        medianMs,
        fastestMs,
        medianMs / batch,
        runs,
        firstStepMs,
      ]),
    ),
  );

  const inference = await each(
    'inference',
    scan.networks.flatMap((network) =>
      scan.batches.map((batch) => ({ ...choice, ...scan, network, batch, patience })),
    ),
    'inference',
  );
  report.record('speed', { training, inference });
  report.print(
    `\nReading ${scan.slices} slices at ${scan.size}², network only (target on a GPU: at most ${scanTargetMs} ms a scan):`,
  );
  report.print(
    textTable(
      ['network', 'batch', 'ms a slice', 'ms a scan', 'target'],
      inference.map(({ network, batch, msPerSlice, scanMs }) => [
        network,
        batch,
        msPerSlice,
        scanMs,
        scanMs <= scanTargetMs ? 'met' : `${(scanMs / scanTargetMs).toFixed(1)} ×`,
      ]),
    ),
  );

  const reading = await each('reading', [{ ...choice, ...plan.reading }], 'from bytes to reading');
  report.record('speed', { training, inference, reading });
  report.print(
    '\nFrom encoded slices in memory to probabilities, lesion network (the steps overlap):',
  );
  report.print(
    textTable(
      ['slices', 'stored', 'seen', 'decode ms', 'prepare ms', 'model ms', 'total ms'],
      reading.map((row) => [
        String(row.slices),
        `${row.storedSize}²`,
        `${row.size}²`,
        row.decodeMs,
        row.prepareMs,
        row.modelMs,
        row.totalMs,
      ]),
    ),
  );
  return { training, inference, reading };
}
