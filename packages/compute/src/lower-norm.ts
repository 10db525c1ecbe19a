import { imageShape, type NormGeometry, type Shape } from './graph.ts';
import type { OnnxModel } from './onnx-model.ts';

// Letters as in the docstrings: per sample and group, μ the mean and r = 1 / √(variance + ε) over M values; γ and β the
// scale and shift per channel. Everything works on c = x − μ, which both passes share: sums of squares and products of
// it keep their digits however far μ is from 0.

interface Statistics {
  /** c, of the shape of x. */
  readonly centred: string;
  /** r, [N, G, 1]. */
  readonly inverseDeviation: string;
}

/** y = c · (r γ) + β. */
export function lowerGroupNorm(
  model: OnnxModel,
  [x, scale, shift]: readonly [string, string, string],
  shape: Shape,
  geometry: NormGeometry,
): string {
  const [, channels] = imageShape(shape, 'groupNorm');
  const { groups } = geometry;
  const { centred, inverseDeviation } = statistics(model, x, shape, geometry);
  const gamma = model.reshape(scale, [1, groups, channels / groups]);
  const scaled = scaleChannels(model, centred, shape, model.node('Mul', [inverseDeviation, gamma]));
  return model.node('Add', [scaled, model.reshape(shift, [1, channels, 1, 1])]);
}

/** dγ = Σ over samples of r · Σ dy·c. */
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
 * dx = r γ · dy + p · c + q, where, with P = Σ γ·r·(Σ dy·c) and A = Σ γ·(Σ dy) over a group's channels,
 * p = −r² P / M and q = −r A / M.
 */
export function lowerGroupNormInputGradient(
  model: OnnxModel,
  [x, scale, dy]: readonly [string, string, string],
  shape: Shape,
  geometry: NormGeometry,
): string {
  const [n, channels, height, width] = imageShape(shape, 'groupNorm');
  const { groups } = geometry;
  const size = (channels / groups) * height * width;
  const { centred, inverseDeviation: r } = statistics(model, x, shape, geometry);
  const { sums, products } = normSums(model, x, dy, shape, geometry);
  const gamma = model.reshape(scale, [1, groups, channels / groups]);
  const overGroup = (values: string): string =>
    model.node('ReduceSum', [model.node('Mul', [values, gamma]), model.ints([2])], { keepdims: 1 });
  const rShare = model.node('Mul', [r, model.float(-1 / size)]);
  const p = model.node('Mul', [model.node('Mul', [r, rShare]), overGroup(products)]);
  const q = model.node('Mul', [rShare, overGroup(sums)]);
  const toChannels = (values: string): string =>
    model.node('Expand', [values, model.ints([1, 1, channels / groups])]);
  const fromCentred = scaleChannels(model, centred, shape, toChannels(p));
  const fromDy = scaleChannels(model, dy, shape, model.node('Mul', [r, gamma]));
  const offset = model.reshape(toChannels(q), [n, channels, 1, 1]);
  return model.node('Add', [model.node('Add', [fromCentred, fromDy]), offset]);
}

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
  const centred = model.node('Sub', [rows, mean]);
  const squares = model.node('ReduceSumSquare', [centred, axis], { keepdims: 1 });
  const variance = model.node('Mul', [squares, model.float(1 / size)]);
  const raised = model.node('Add', [variance, model.float(epsilon)]);
  return {
    centred: model.reshape(centred, shape),
    inverseDeviation: model.node('Reciprocal', [model.node('Sqrt', [raised])]),
  };
}

/** Per sample and channel, [N, G, C/G]: Σ dy, and r · Σ dy·c. */
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
  const { centred, inverseDeviation } = statistics(model, x, shape, geometry);
  const raw = overPixels(model.node('Mul', [dy, centred]));
  return { sums, products: model.node('Mul', [inverseDeviation, raw]) };
}

/** x · factor, which is [N, G, C/G]. */
function scaleChannels(model: OnnxModel, x: string, shape: Shape, factor: string): string {
  const [n, channels] = imageShape(shape, 'groupNorm');
  return model.node('Mul', [x, model.reshape(factor, [n, channels, 1, 1])]);
}
