import { differentiate, type RunResult } from '@consilium/compute';
import type { Batch } from './draw-batch.ts';
import { cut, type Part, type ProgramsBySize, type SizedGraphs } from './microbatch.ts';
import { forwardGraph, logitsLossGraph, lossGraph, slopeGraph } from './network.ts';
import type { LesionTask } from './task.ts';

/** What one batch teaches. */
export interface BatchGradient {
  readonly loss: number;
  readonly lesionDiceLoss: number;
  readonly gradient: Float32Array;
}

/** What {@link batchGradient} compiles. `whole` and `loss` are for whole batches only. */
export function batchGradientGraphs(task: LesionTask): SizedGraphs {
  return {
    whole: () => differentiate(lossGraph(task), 'loss'),
    forward: (samples) => forwardGraph(task.network, samples, task.network.cropSize),
    loss: () => differentiate(logitsLossGraph(task), 'loss'),
    slope: (samples) => differentiate(slopeGraph(task, samples), 'loss'),
  };
}

/**
 * Loss and gradient of a batch in any parts: the same but for float32 rounding, whatever they are. Memory is that of the largest part; more than
 * one part costs a second forward pass.
 *
 * The loss looks at all samples at once (soft Dice), what lies below the logits at one (group norms, no batch norm). So the gradient by the weights is
 * Σ over samples of (∂logits of the sample / ∂weights)ᵀ · (∂loss / ∂logits of the sample): first the logits of all samples, part by part; then the loss and its
 * slope by each logit; then, part by part, the gradient of Σ logits · slope, whose sum over the parts it is.
 */
export async function batchGradient(
  batch: Batch,
  weights: Float32Array,
  parts: readonly Part[],
  programs: ProgramsBySize,
  signal?: AbortSignal,
): Promise<BatchGradient> {
  const [first] = parts;
  const options = signal && { signal };
  const samples = parts.reduce((sum, part) => sum + part.samples, 0);
  if (first?.samples === samples) {
    const program = await programs('whole', samples);
    return gradientOf(await program.run({ ...batch }, weights, options));
  }
  const { image, ...truths } = batch;
  const pixels = truths.lungTruth.length;
  const logits = new Float32Array(2 * pixels);
  for (const part of parts) {
    const program = await programs('forward', part.samples);
    const { outputs } = await program.run(cut({ image }, part, samples), weights, options);
    const at = (part.from * pixels) / samples;
    logits.set(given(outputs['lung'], 'lung'), at);
    logits.set(given(outputs['lesion'], 'lesion'), pixels + at);
  }
  const atLogits = gradientOf(await (await programs('loss', samples)).run(truths, logits, options));
  const slopes = {
    image,
    lungSlope: atLogits.gradient.subarray(0, pixels),
    lesionSlope: atLogits.gradient.subarray(pixels),
  };
  const gradient = new Float32Array(weights.length);
  for (const part of parts) {
    const program = await programs('slope', part.samples);
    const result = await program.run(cut(slopes, part, samples), weights, options);
    addScaled(gradient, given(result.gradient, 'gradient'), 1);
  }
  return { ...atLogits, gradient };
}

/** Adds `factor · values` to `sum` in place. */
export function addScaled(sum: Float32Array, values: Float32Array, factor: number): void {
  for (let i = 0; i < sum.length; i++) {
    sum[i] = (sum[i] as number) + factor * (values[i] as number);
  }
}

/** @throws {RangeError} when the engine left out what the graph gives. */
export function given(values: Float32Array | undefined, name: string): Float32Array {
  if (values === undefined) {
    throw new RangeError(`the engine returned no output ${name}`);
  }
  return values;
}

function gradientOf({ outputs, gradient }: RunResult): BatchGradient {
  return {
    loss: given(outputs['loss'], 'loss')[0] as number,
    lesionDiceLoss: given(outputs['lesionDiceLoss'], 'lesionDiceLoss')[0] as number,
    gradient: given(gradient, 'gradient'),
  };
}
