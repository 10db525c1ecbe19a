import type { EngineChoice } from './kit-engine.ts';
import type { KitPlan } from './kit-plan.ts';
import type { Speed } from './measure-speed.ts';
import type { Report } from './report.ts';
import type { RunInit } from './run-part.ts';
import { type Cell, textTable } from './text-table.ts';
import { findTorch, runTorch, type TorchTiming } from './torch-part.ts';

/** PyTorch on the same device, where it is installed: the same network, the same sizes, and how many times as long the engine takes. */
export async function compareTorch(
  choice: EngineChoice,
  plan: KitPlan,
  speed: Speed,
  init: RunInit & { readonly pythons: readonly string[] },
  report: Report,
): Promise<void> {
  const device = choice.engine === 'onnx-cpu' ? 'cpu' : 'cuda';
  const found = findTorch(init.pythons, device);
  if ('why' in found) {
    report.record('torch', { there: false, why: found.why });
    return report.print(`PyTorch for this device is not here (${found.why})`);
  }
  const { size, batches } = plan.inference;
  const outcome = await runTorch(
    found.python,
    {
      device,
      threads: choice.threads,
      training: plan.training,
      reading: batches.map((batch) => ({ batch, size })),
      patience: plan.patience,
    },
    init,
  );
  report.record('torch', { there: true, python: found.python, ...outcome });
  if (outcome.ended !== 'done') report.print(`PyTorch: ${outcome.ended}: ${outcome.why}`);
  const timings: TorchTiming[] = [];
  for (const row of outcome.rows) {
    if ('work' in row) timings.push(row);
    else report.print(`PyTorch ${row.version} on ${row.device}:`);
  }
  report.print(
    textTable(
      ['work', 'batch', 'size', 'PyTorch', 'its ms', `${choice.engine} ms`, 'ratio'],
      timings.map((timing) => compared(timing, speed)),
    ),
  );
}

function compared(timing: TorchTiming, { training, inference }: Speed): Cell[] {
  const { work, batch, size, precision, medianMs } = timing;
  const alike = (row: { batch: number; size: number }): boolean =>
    row.batch === batch && row.size === size;
  const read = inference.find((row) => row.network === 'reference' && alike(row));
  const own =
    work === 'training' ? training.find(alike)?.medianMs : read && read.msPerSlice * read.batch;
  const ratio = own === undefined ? null : `${(own / medianMs).toFixed(2)} ×`;
  return [work, String(batch), `${size}²`, precision, medianMs, own ?? null, ratio];
}
