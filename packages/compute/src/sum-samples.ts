import type { Shape } from './graph.ts';
import type { OnnxModel } from './onnx-model.ts';

/** Sums `x` [N, …rest] over its first dimension, or over every part of it that belongs to one of `examples`: [E, …rest]. */
export function sumSamples(
  model: OnnxModel,
  x: string,
  [n = 1, ...rest]: Shape,
  examples: number | null,
): string {
  if (examples === null) return model.node('ReduceSum', [x, model.ints([0])], { keepdims: 0 });
  if (examples === n) return x;
  const parts = model.reshape(x, [examples, n / examples, ...rest]);
  return model.node('ReduceSum', [parts, model.ints([1])], { keepdims: 0 });
}
