import { type DiceOver, type FocalGeometry, gridShape, type Shape, sizeOf } from './graph.ts';
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
  shape: Shape,
  init: { over: DiceOver; smooth: number },
): string {
  const { numerator, denominator } = diceSums(model, [z, t], shape, init);
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
  const [n, channels] = gridShape(shape, 'softDiceLoss');
  const terms = init.over === 'batch' ? channels : n * channels;
  const { p, numerator, denominator } = diceSums(model, [z, t], shape, init);
  const share = model.node('Div', [model.node('Mul', [dy, model.float(1 / terms)]), denominator]);
  const constant = model.node('Mul', [model.node('Div', [numerator, denominator]), share]);
  const slope = model.node('Mul', [share, model.float(-2)]);
  const byP = model.node('Add', [model.node('Mul', [t, slope]), constant]);
  const sigmoidSlope = model.node('Mul', [p, model.node('Sub', [model.float(1), p])]);
  return model.node('Mul', [byP, sigmoidSlope]);
}

function diceSums(
  model: OnnxModel,
  [z, t]: readonly [string, string],
  shape: Shape,
  { over, smooth }: { over: DiceOver; smooth: number },
): { p: string; numerator: string; denominator: string } {
  const pixels = [...shape.keys()].slice(2);
  const axes = model.ints(over === 'batch' ? [0, ...pixels] : pixels);
  const sum = (x: string): string => model.node('ReduceSum', [x, axes], { keepdims: 1 });
  const p = model.node('Sigmoid', [z]);
  const overlap = model.node('Mul', [sum(model.node('Mul', [p, t])), model.float(2)]);
  const numerator = model.node('Add', [overlap, model.float(smooth)]);
  const both = model.node('Add', [sum(p), sum(t)]);
  return { p, numerator, denominator: model.node('Add', [both, model.float(smooth)]) };
}

/** The two halves of the focal loss, before the mean: α·t·q^γ·softplus(−z) and (1 − α)·(1 − t)·p^γ·softplus(z), with q = 1 − p = sigmoid(−z). */
export function lowerFocal(
  model: OnnxModel,
  [z, t]: readonly [string, string],
  geometry: FocalGeometry,
): string {
  const { positive, negative } = focalSides(model, z, geometry);
  const onPositive = model.node('Mul', [positive.focus, positive.entropy]);
  const onNegative = model.node('Mul', [negative.focus, negative.entropy]);
  const each = weighed(model, t, [onPositive, onNegative], geometry.alpha);
  return model.node('ReduceMean', [each], { keepdims: 0 });
}

/** dy / count · (−α·t·q^γ·(γ·p·softplus(−z) + q) + (1 − α)·(1 − t)·p^γ·(γ·q·softplus(z) + p)). */
export function lowerFocalGradient(
  model: OnnxModel,
  [dy, z, t]: readonly [string, string, string],
  shape: Shape,
  geometry: FocalGeometry,
): string {
  const { positive, negative } = focalSides(model, z, geometry);
  const slope = (side: FocalSide): string => {
    const turned = model.node('Mul', [side.wrongOf, side.entropy]);
    const scaled = model.node('Mul', [turned, model.float(geometry.gamma)]);
    return model.node('Mul', [side.focus, model.node('Add', [scaled, side.wrong])]);
  };
  const byZ = weighed(
    model,
    t,
    [model.node('Neg', [slope(positive)]), slope(negative)],
    geometry.alpha,
  );
  const share = model.node('Mul', [dy, model.float(1 / sizeOf(shape))]);
  return model.node('Mul', [byZ, share]);
}

interface FocalSide {
  /** How wrong the answer is, in [0, 1], and one minus it. */
  readonly wrong: string;
  readonly wrongOf: string;
  /** wrong^γ. */
  readonly focus: string;
  readonly entropy: string;
}

function focalSides(
  model: OnnxModel,
  z: string,
  { gamma }: FocalGeometry,
): { positive: FocalSide; negative: FocalSide } {
  const minus = model.node('Neg', [z]);
  const p = model.node('Sigmoid', [z]);
  const q = model.node('Sigmoid', [minus]);
  const side = (wrong: string, wrongOf: string, logit: string): FocalSide => ({
    wrong,
    wrongOf,
    focus: model.node('Pow', [wrong, model.float(gamma)]),
    entropy: model.node('Softplus', [logit]),
  });
  return { positive: side(q, p, minus), negative: side(p, q, z) };
}

/** α·t·onPositive + (1 − α)·(1 − t)·onNegative. */
function weighed(
  model: OnnxModel,
  t: string,
  [onPositive, onNegative]: readonly [string, string],
  alpha: number,
): string {
  const ofPositive = model.node('Mul', [t, model.float(alpha)]);
  const rest = model.node('Sub', [model.float(1), t]);
  const ofNegative = model.node('Mul', [rest, model.float(1 - alpha)]);
  return model.node('Add', [
    model.node('Mul', [ofPositive, onPositive]),
    model.node('Mul', [ofNegative, onNegative]),
  ]);
}

/** mean(c · (d − c / 2)) with d = x − target and c = d cut to ±β, over β. */
export function lowerSmoothL1(
  model: OnnxModel,
  [x, t]: readonly [string, string],
  beta: number,
): string {
  const d = model.node('Sub', [x, t]);
  const c = model.node('Clip', [d, model.float(-beta), model.float(beta)]);
  const half = model.node('Mul', [c, model.float(0.5)]);
  const each = model.node('Mul', [c, model.node('Sub', [d, half])]);
  const mean = model.node('ReduceMean', [each], { keepdims: 0 });
  return model.node('Mul', [mean, model.float(1 / beta)]);
}

/** dy / count · c / β. */
export function lowerSmoothL1Gradient(
  model: OnnxModel,
  [dy, x, t]: readonly [string, string, string],
  shape: Shape,
  beta: number,
): string {
  const d = model.node('Sub', [x, t]);
  const c = model.node('Clip', [d, model.float(-beta), model.float(beta)]);
  const share = model.node('Mul', [dy, model.float(1 / (beta * sizeOf(shape)))]);
  return model.node('Mul', [c, share]);
}
