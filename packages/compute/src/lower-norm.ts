import { gridShape, type NormGeometry, type Shape, type Summed, sizeOf } from './graph.ts';
import type { OnnxModel } from './onnx-model.ts';
import { sumSamples } from './sum-samples.ts';

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
  const [n, channels] = gridShape(shape, 'groupNorm');
  const { groups } = geometry;
  const { centred, inverseDeviation } = statistics(model, x, shape, geometry);
  const gamma = model.reshape(scale, [1, groups, channels / groups]);
  const offset = model.node('Expand', [
    model.reshape(shift, [1, groups, channels / groups]),
    model.ints([n, 1, 1]),
  ]);
  return affine(model, centred, shape, model.node('Mul', [inverseDeviation, gamma]), offset);
}

/** dγ = Σ over samples, of all or of each example, of r · Σ dy·c. */
export function lowerGroupNormScaleGradient(
  model: OnnxModel,
  [x, dy]: readonly [string, string],
  shape: Shape,
  geometry: NormGeometry & Summed,
): string {
  const { groups, examples } = geometry;
  const [n, channels] = gridShape(shape, 'groupNorm');
  const { products } = normSums(model, x, dy, shape, geometry);
  const summed = sumSamples(model, products, [n, groups, channels / groups], examples);
  return model.reshape(summed, examples === null ? [channels] : [examples, channels]);
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
  const [n, channels, spatial] = gridShape(shape, 'groupNorm');
  const { groups } = geometry;
  const size = (channels / groups) * sizeOf(spatial);
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
  const fromCentred = affine(model, centred, shape, toChannels(p), toChannels(q));
  const ones = spatial.map(() => 1);
  const byDy = model.reshape(model.node('Mul', [r, gamma]), [n, channels, ...ones]);
  return model.node('Add', [fromCentred, model.node('Mul', [dy, byDy])]);
}

function statistics(
  model: OnnxModel,
  x: string,
  shape: Shape,
  { groups, epsilon }: NormGeometry,
): Statistics {
  const [n, channels, spatial] = gridShape(shape, 'groupNorm');
  const size = (channels / groups) * sizeOf(spatial);
  const rows = model.reshape(x, [n, groups, size]);
  const overRow = { axes: [2], keepdims: 1 };
  const mean = model.node('ReduceMean', [rows], overRow);
  const centred = model.node('Sub', [rows, mean]);
  const squares = model.node('Mul', [centred, centred]);
  const variance = model.node('ReduceMean', [squares], overRow);
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
  const [n, channels] = gridShape(shape, 'groupNorm');
  const perGroup = [n, geometry.groups, channels / geometry.groups];
  const sums = model.reshape(sumPixels(model, dy, shape), perGroup);
  const { centred, inverseDeviation } = statistics(model, x, shape, geometry);
  const dots = sumPixels(model, model.node('Mul', [dy, centred]), shape);
  const raw = model.reshape(dots, perGroup);
  return { sums, products: model.node('Mul', [inverseDeviation, raw]) };
}

/** The sum over every channel of every sample, [N, C]. */
function sumPixels(model: OnnxModel, x: string, shape: Shape): string {
  const [n, channels, spatial] = gridShape(shape, 'channelSum');
  if (spatial.length === 0) return x;
  const rows = model.reshape(x, [n, channels, sizeOf(spatial)]);
  return model.node('ReduceSum', [rows, model.ints([2])], { keepdims: 0 });
}

/** The sum over every channel of all samples, [C], or of each example's; shares its first step with the group norm's gradients. */
export function lowerChannelSum(
  model: OnnxModel,
  x: string,
  shape: Shape,
  { examples }: Summed,
): string {
  const [n, channels] = gridShape(shape, 'channelSum');
  return sumSamples(model, sumPixels(model, x, shape), [n, channels], examples);
}

// A batch norm of mean 0 and variance 1 is the one operator that multiplies and adds in a single pass.
/** x · factor + offset, both [N, G, C/G]. */
function affine(model: OnnxModel, x: string, shape: Shape, factor: string, offset: string): string {
  const [n, channels, spatial] = gridShape(shape, 'groupNorm');
  const planes = n * channels;
  const zeros = model.floats(new Float32Array(planes));
  const ones = model.floats(new Float32Array(planes).fill(1));
  const mapped = model.node(
    'BatchNormalization',
    [
      model.reshape(x, [1, planes, 1, sizeOf(spatial)]),
      model.reshape(factor, [planes]),
      model.reshape(offset, [planes]),
      zeros,
      ones,
    ],
    { epsilon: { float: 0 } },
  );
  return model.reshape(mapped, shape);
}
