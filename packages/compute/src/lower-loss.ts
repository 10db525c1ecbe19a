import { type DiceOver, imageShape, type Shape, sizeOf } from './graph.ts';
import type { OnnxModel } from './onnx-model.ts';

/** mean(weight · (softplus(z) − z·t)). */
export function lowerBce(
  model: OnnxModel,
  [z, t, weight]: readonly [string, string, string | undefined],
): string {
  const each = model.node('Sub', [model.node('Softplus', [z]), model.node('Mul', [z, t])]);
  const weighted = weight === undefined ? each : model.node('Mul', [each, weight]);
  return model.node('ReduceMean', [weighted], { keepdims: 0 });
}

/** dy · weight · (sigmoid(z) − t) / count. */
export function lowerBceGradient(
  model: OnnxModel,
  [dy, z, t, weight]: readonly [string, string, string, string | undefined],
  shape: Shape,
): string {
  const error = model.node('Sub', [model.node('Sigmoid', [z]), t]);
  const weighted = weight === undefined ? error : model.node('Mul', [error, weight]);
  const share = model.node('Mul', [dy, model.float(1 / sizeOf(shape))]);
  return model.node('Mul', [weighted, share]);
}

/** 1 − mean((2·Σpt + smooth) / (Σp + Σt + smooth)). */
export function lowerDice(
  model: OnnxModel,
  [z, t]: readonly [string, string],
  init: { over: DiceOver; smooth: number },
): string {
  const { numerator, denominator } = diceSums(model, z, t, init);
  const ratio = model.node('Div', [numerator, denominator]);
  return model.node('Sub', [model.float(1), model.node('ReduceMean', [ratio], { keepdims: 0 })]);
}

/** dy / count · p(1 − p) · (numerator / denominator² − 2t / denominator). */
export function lowerDiceGradient(
  model: OnnxModel,
  [dy, z, t]: readonly [string, string, string],
  shape: Shape,
  init: { over: DiceOver; smooth: number },
): string {
  const [n, channels] = imageShape(shape, 'softDiceLoss');
  const terms = init.over === 'batch' ? channels : n * channels;
  const { p, numerator, denominator } = diceSums(model, z, t, init);
  const share = model.node('Div', [model.node('Mul', [dy, model.float(1 / terms)]), denominator]);
  const constant = model.node('Mul', [model.node('Div', [numerator, denominator]), share]);
  const slope = model.node('Mul', [share, model.float(-2)]);
  const byP = model.node('Add', [model.node('Mul', [t, slope]), constant]);
  const sigmoidSlope = model.node('Mul', [p, model.node('Sub', [model.float(1), p])]);
  return model.node('Mul', [byP, sigmoidSlope]);
}

function diceSums(
  model: OnnxModel,
  z: string,
  t: string,
  { over, smooth }: { over: DiceOver; smooth: number },
): { p: string; numerator: string; denominator: string } {
  const axes = model.ints(over === 'batch' ? [0, 2, 3] : [2, 3]);
  const sum = (x: string): string => model.node('ReduceSum', [x, axes], { keepdims: 1 });
  const p = model.node('Sigmoid', [z]);
  const overlap = model.node('Mul', [sum(model.node('Mul', [p, t])), model.float(2)]);
  const numerator = model.node('Add', [overlap, model.float(smooth)]);
  const both = model.node('Add', [sum(p), sum(t)]);
  return { p, numerator, denominator: model.node('Add', [both, model.float(smooth)]) };
}
