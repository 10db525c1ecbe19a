import type { OnnxModel } from './onnx-model.ts';

/** x · sigmoid(x). */
export function lowerSilu(model: OnnxModel, x: string): string {
  return model.node('Mul', [x, model.node('Sigmoid', [x])]);
}

/** dy where y is positive, 0 elsewhere. */
export function lowerReluGradient(model: OnnxModel, [y, dy]: readonly [string, string]): string {
  return model.node('Mul', [dy, positiveMask(model, y)]);
}

/** dy where y is positive, slope · dy elsewhere. */
export function lowerLeakyReluGradient(
  model: OnnxModel,
  [y, dy]: readonly [string, string],
  slope: number,
): string {
  const above = model.node('Mul', [positiveMask(model, y), model.float(1 - slope)]);
  return model.node('Mul', [dy, model.node('Add', [above, model.float(slope)])]);
}

/** dy · y(1 − y). */
export function lowerSigmoidGradient(model: OnnxModel, [y, dy]: readonly [string, string]): string {
  const slope = model.node('Mul', [y, model.node('Sub', [model.float(1), y])]);
  return model.node('Mul', [dy, slope]);
}

/** dy · (s + y(1 − s)) with s = sigmoid(x) and y = x·s. */
export function lowerSiluGradient(model: OnnxModel, [x, dy]: readonly [string, string]): string {
  const s = model.node('Sigmoid', [x]);
  const y = model.node('Mul', [x, s]);
  const rest = model.node('Mul', [y, model.node('Sub', [model.float(1), s])]);
  return model.node('Mul', [dy, model.node('Add', [s, rest])]);
}

/** y · (dy − Σ dy·y), with the sum along the channels. */
export function lowerSoftmaxGradient(model: OnnxModel, [y, dy]: readonly [string, string]): string {
  const product = model.node('Mul', [dy, y]);
  const dot = model.node('ReduceSum', [product, model.ints([1])], { keepdims: 1 });
  return model.node('Mul', [y, model.node('Sub', [dy, dot])]);
}

// min(y · huge, 1) is the 0/1 mask of where y is positive: onnxruntime has no faster way to it than this operator.
function positiveMask(model: OnnxModel, y: string): string {
  return model.node('HardSigmoid', [y], { alpha: { float: 1e38 }, beta: { float: 0 } });
}
