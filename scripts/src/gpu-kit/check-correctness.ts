import type { EngineChoice } from './kit-engine.ts';
import type { KitPlan } from './kit-plan.ts';
import { type OperatorRow, operatorCount } from './operators-part.ts';
import type { Report } from './report.ts';
import { type RunInit, runPart } from './run-part.ts';
import { textTable } from './text-table.ts';
import type { UNetRow } from './unet-part.ts';
import { bar, type Compared, comparedOperators, comparedUNet, judge, missing } from './verdict.ts';

/** Compares every operator and whole training steps, tells the worst, and says whether correctness holds. */
export async function checkCorrectness(
  choice: EngineChoice,
  plan: KitPlan,
  init: RunInit,
  report: Report,
): Promise<boolean> {
  const { rows, lost } = await compareOperators(choice, init);
  // onnx-cpu can only be compared with float64, and not with itself.
  const sizes = plan.unet.filter(({ withFloat64 }) => withFloat64 || choice.engine !== 'onnx-cpu');
  const steps = await compareSteps(choice, sizes, init);
  const compared = [
    ...comparedOperators(rows),
    ...lost,
    ...steps.rows.map((row) => comparedUNet(row, choice.engine)),
    ...steps.lost,
  ];
  const wanted = operatorCount + sizes.length;
  const verdict = judge(compared, wanted);
  report.record('correctness', { bar, wanted, ...verdict, operators: rows, steps: steps.rows });
  const against = choice.engine === 'onnx-cpu' ? 'float64' : 'onnx-cpu and float64';
  report.print(`Relative L2 distance from ${against}; bar ${bar}. The worst of ${wanted}:`);
  const shown = [
    ...verdict.all.slice(0, 8),
    ...verdict.all.slice(8).filter(({ name }) => name.startsWith('U-Net')),
  ];
  const cells = shown.map((one) => [one.name, one.loss, one.outputs, one.gradient, one.why]);
  report.print(textTable(['compared', 'loss', 'outputs', 'gradient', ''], cells));
  for (const { batch, size, fromFloat64, cpuFromFloat64 } of steps.rows) {
    if (choice.engine === 'onnx-cpu' || !fromFloat64 || !cpuFromFloat64) continue;
    report.print(
      `U-Net, ${batch} × ${size}², gradient from float64: ${choice.engine} ${fromFloat64.gradient.toExponential(1)}, onnx-cpu ${cpuFromFloat64.gradient.toExponential(1)}`,
    );
  }
  report.print(
    `correctness: ${verdict.held ? 'HELD' : 'NOT HELD'} (${verdict.compared} of ${wanted} compared)`,
  );
  return verdict.held;
}

/** A case that takes the process with it is noted, and the next process begins behind it. */
async function compareOperators(
  choice: EngineChoice,
  init: RunInit,
): Promise<{ rows: OperatorRow[]; lost: Compared[] }> {
  const rows: OperatorRow[] = [];
  const lost: Compared[] = [];
  for (let first = 0; first < operatorCount; ) {
    const outcome = await runPart('operators', { ...choice, first }, init);
    rows.push(...outcome.rows.filter(({ fromCpu }) => fromCpu !== undefined));
    if (outcome.ended === 'done') break;
    const last = outcome.rows.at(-1);
    const at = last === undefined ? first : last.case + (last.fromCpu === undefined ? 0 : 1);
    lost.push(missing(last?.name ?? `case ${at}`, `${outcome.ended}: ${outcome.why}`));
    first = at + 1;
  }
  return { rows, lost };
}

async function compareSteps(
  choice: EngineChoice,
  sizes: KitPlan['unet'],
  init: RunInit,
): Promise<{ rows: UNetRow[]; lost: Compared[] }> {
  const rows: UNetRow[] = [];
  const lost: Compared[] = [];
  for (const step of sizes) {
    const outcome = await runPart('unet', { ...choice, ...step }, init);
    rows.push(...outcome.rows);
    if (outcome.ended !== 'done') {
      const name = `U-Net, ${step.batch} × ${step.size}²`;
      lost.push(missing(name, `${outcome.ended}: ${outcome.why}`));
    }
  }
  return { rows, lost };
}
