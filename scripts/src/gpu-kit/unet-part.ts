import { differentiate, interpret } from '@consilium/compute';
import { type EngineChoice, openCpu, openEngine } from './kit-engine.ts';
import { type Distance, distanceOf, runOnce } from './operators-part.ts';
import { drawBatch, type StepSize, startWeights, unetGraph } from './unet-step.ts';

export interface UNetRow extends StepSize {
  readonly fromCpu: Distance;
  /** Both engines against float64, where that is small enough to wait for: which of the two is off. */
  readonly fromFloat64?: Distance;
  readonly cpuFromFloat64?: Distance;
}

export interface UNetSettings extends EngineChoice, StepSize {
  readonly withFloat64: boolean;
}

/** Loss, probabilities and gradient of one whole training step of the reference U-Net. */
export async function unetPart(settings: UNetSettings, say: (row: UNetRow) => void): Promise<void> {
  const { batch, size } = settings;
  const graph = differentiate(unetGraph(settings), 'loss');
  const weights = startWeights(graph, 7);
  const inputs = drawBatch(settings, 3);
  const got = await runOnce(await openEngine(settings), graph, inputs, weights);
  const cpu = await openCpu(settings.threads);
  const onCpu = await runOnce(cpu, graph, inputs, weights);
  const row: UNetRow = { batch, size, fromCpu: distanceOf(got, onCpu) };
  if (!settings.withFloat64) return say(row);
  const exact = interpret(graph, widen(inputs), Float64Array.from(weights));
  say({
    ...row,
    fromFloat64: distanceOf(got, exact),
    cpuFromFloat64: distanceOf(onCpu, exact),
  });
}

function widen(inputs: Readonly<Record<string, Float32Array>>): Record<string, Float64Array> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, values]) => [name, Float64Array.from(values)]),
  );
}
