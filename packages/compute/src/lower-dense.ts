import type { Shape, Summed } from './graph.ts';
import type { OnnxModel } from './onnx-model.ts';

/** x wᵀ + b. */
export function lowerDense(model: OnnxModel, inputs: readonly string[]): string {
  return model.node('Gemm', inputs, { transB: 1 });
}

/** dy w. */
export function lowerDenseInputGradient(model: OnnxModel, inputs: readonly string[]): string {
  return model.node('MatMul', inputs);
}

/** dyᵀ x, for the whole batch or for each example. */
export function lowerDenseWeightGradient(
  model: OnnxModel,
  [x, dy]: readonly [string, string],
  shapes: { x: Shape; dy: Shape },
  { examples }: Summed,
): string {
  if (examples === null) return model.node('Gemm', [dy, x], { transA: 1 });
  const [n = 0, features = 0] = shapes.x;
  const out = shapes.dy[1] ?? 0;
  const rows = model.reshape(x, [examples, n / examples, features]);
  const columns = model.node('Transpose', [model.reshape(dy, [examples, n / examples, out])], {
    perm: [0, 2, 1],
  });
  return model.node('MatMul', [columns, rows]);
}
