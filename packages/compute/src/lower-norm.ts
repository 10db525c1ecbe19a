import { imageShape, type NormGeometry, type Shape } from './graph.ts';
import type { OnnxModel } from './onnx-model.ts';

// Letters as in the docstrings: per sample and group, μ the mean and r = 1 / √(variance + ε) over M values;
// γ and β the scale and shift per channel. A result is an affine map of x per sample and channel, so that each
// whole-image pass is one multiply and add.

interface Statistics {
  /** [N, G, 1] each. */
  readonly mean: string;
  readonly inverseDeviation: string;
}

/** y = x · (r γ) + (β − μ r γ). */
export function lowerGroupNorm(
  model: OnnxModel,
  [x, scale, shift]: readonly [string, string, string],
  shape: Shape,
  geometry: NormGeometry,
): string {
  const [, channels] = imageShape(shape, 'groupNorm');
  const { groups } = geometry;
  const { mean, inverseDeviation } = statistics(model, x, shape, geometry);
  const perGroup = [1, groups, channels / groups];
  const factor = model.node('Mul', [inverseDeviation, model.reshape(scale, perGroup)]);
  const offset = model.node('Sub', [
    model.reshape(shift, perGroup),
    model.node('Mul', [mean, factor]),
  ]);
  return affine(model, x, shape, factor, offset);
}

/** dγ = Σ over samples of r (Σ dy·x − μ Σ dy). */
export function lowerGroupNormScaleGradient(
  model: OnnxModel,
  [x, dy]: readonly [string, string],
  shape: Shape,
  geometry: NormGeometry,
): string {
  const [, channels] = imageShape(shape, 'groupNorm');
  const { products } = normSums(model, x, dy, shape, geometry);
  const summed = model.node('ReduceSum', [products, model.ints([0])], { keepdims: 0 });
  return model.reshape(summed, [channels]);
}

/**
 * dx = a·dy + p·x + q with a = r γ, and, with P = Σ γ·(Σ dy·x̂) and A = Σ γ·(Σ dy) over a group's channels,
 * p = −r² P / M and q = −r A / M − μ p.
 */
export function lowerGroupNormInputGradient(
  model: OnnxModel,
  [x, scale, dy]: readonly [string, string, string],
  shape: Shape,
  geometry: NormGeometry,
): string {
  const [, channels, height, width] = imageShape(shape, 'groupNorm');
  const { groups } = geometry;
  const size = (channels / groups) * height * width;
  const { mean, inverseDeviation: r } = statistics(model, x, shape, geometry);
  const { sums, products } = normSums(model, x, dy, shape, geometry);
  const gamma = model.reshape(scale, [1, groups, channels / groups]);
  const overGroup = (values: string): string =>
    model.node('ReduceSum', [model.node('Mul', [values, gamma]), model.ints([2])], { keepdims: 1 });
  const share = model.float(-1 / size);
  const rShare = model.node('Mul', [r, share]);
  const p = model.node('Mul', [model.node('Mul', [r, rShare]), overGroup(products)]);
  const q = model.node('Sub', [
    model.node('Mul', [rShare, overGroup(sums)]),
    model.node('Mul', [mean, p]),
  ]);
  const toChannels = (values: string): string =>
    model.node('Expand', [values, model.ints([1, 1, channels / groups])]);
  const fromX = affine(model, x, shape, toChannels(p), toChannels(q));
  const fromDy = affine(model, dy, shape, model.node('Mul', [r, gamma]));
  return model.node('Add', [fromX, fromDy]);
}

// The variance as E[x²] − μ² loses digits where |μ| is much larger than the deviation: at a ratio of 100 about 1e-3 of
// the variance. Convolution outputs stay far below that; rounding below zero is cut off.
function statistics(
  model: OnnxModel,
  x: string,
  shape: Shape,
  { groups, epsilon }: NormGeometry,
): Statistics {
  const [n, channels, height, width] = imageShape(shape, 'groupNorm');
  const size = (channels / groups) * height * width;
  const rows = model.reshape(x, [n, groups, size]);
  const axis = model.ints([2]);
  const mean = model.node('ReduceMean', [rows, axis], { keepdims: 1 });
  const squares = model.node('ReduceSumSquare', [rows, axis], { keepdims: 1 });
  const variance = model.node('Sub', [
    model.node('Mul', [squares, model.float(1 / size)]),
    model.node('Mul', [mean, mean]),
  ]);
  const raised = model.node('Add', [model.node('Relu', [variance]), model.float(epsilon)]);
  return { mean, inverseDeviation: model.node('Reciprocal', [model.node('Sqrt', [raised])]) };
}

/** Per sample and channel, [N, G, C/G]: Σ dy, and Σ dy·x̂ with x̂ = r (x − μ). */
function normSums(
  model: OnnxModel,
  x: string,
  dy: string,
  shape: Shape,
  geometry: NormGeometry,
): { sums: string; products: string } {
  const [n, channels, height, width] = imageShape(shape, 'groupNorm');
  const perGroup = [n, geometry.groups, channels / geometry.groups];
  const pixels = height * width;
  const overPixels = (values: string): string =>
    model.reshape(
      model.node('ReduceSum', [model.reshape(values, [n * channels, pixels]), model.ints([1])], {
        keepdims: 0,
      }),
      perGroup,
    );
  const sums = overPixels(dy);
  const raw = overPixels(model.node('Mul', [dy, x]));
  const { mean, inverseDeviation } = statistics(model, x, shape, geometry);
  const centred = model.node('Sub', [raw, model.node('Mul', [mean, sums])]);
  return { sums, products: model.node('Mul', [inverseDeviation, centred]) };
}

/** x · factor + offset, both [N, G, C/G]. */
function affine(
  model: OnnxModel,
  x: string,
  shape: Shape,
  factor: string,
  offset?: string,
): string {
  const [n, channels] = imageShape(shape, 'groupNorm');
  const spread = (values: string): string => model.reshape(values, [n, channels, 1, 1]);
  const scaled = model.node('Mul', [x, spread(factor)]);
  return offset === undefined ? scaled : model.node('Add', [scaled, spread(offset)]);
}
