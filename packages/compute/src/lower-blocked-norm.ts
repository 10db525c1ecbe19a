import { imageShape, type NormGeometry, type Shape, type Summed } from './graph.ts';
import { lowerBlockedAffine } from './lower-blocked-conv.ts';
import type { OnnxModel } from './onnx-model.ts';
import { sumSamples } from './sum-samples.ts';

// The formulas and letters of lower-norm.ts on blocked images: sums over pixels leave [N, C], and what multiplies and adds
// per channel is a convolution by one value.

/** y = c · (r γ) + β, with negative values set to 0 where `relu`. */
export function lowerBlockedGroupNorm(
  model: OnnxModel,
  [x, scale, shift]: readonly [string, string, string],
  shapes: { x: Shape; block: number },
  geometry: NormGeometry,
  relu: boolean,
): string {
  const [n, channels] = imageShape(shapes.x, 'groupNorm');
  const { centred, inverseDeviation } = statistics(model, x, shapes, geometry);
  const perGroup = [1, geometry.groups, channels / geometry.groups];
  const factor = model.node('Mul', [inverseDeviation, model.reshape(scale, perGroup)]);
  const offset = model.reshape(
    model.node('Expand', [model.reshape(shift, [1, channels]), model.ints([n, channels])]),
    [n * channels],
  );
  return lowerBlockedAffine(model, centred, shapes.x, factor, { offset, relu });
}

/** dγ = Σ over samples, of all or of each example, of r · Σ dy·c. */
export function lowerBlockedGroupNormScaleGradient(
  model: OnnxModel,
  [x, dy]: readonly [string, string],
  shapes: { x: Shape; block: number },
  geometry: NormGeometry & Summed,
): string {
  const { groups, examples } = geometry;
  const [n, channels] = imageShape(shapes.x, 'groupNorm');
  const { products } = normSums(model, x, dy, shapes, geometry);
  const summed = sumSamples(model, products, [n, groups, channels / groups], examples);
  return model.reshape(summed, examples === null ? [channels] : [examples, channels]);
}

/** dx = r γ · dy + (p · c + q). */
export function lowerBlockedGroupNormInputGradient(
  model: OnnxModel,
  [x, scale, dy]: readonly [string, string, string],
  shapes: { x: Shape; block: number },
  geometry: NormGeometry,
): string {
  const [n, channels, height, width] = imageShape(shapes.x, 'groupNorm');
  const { groups } = geometry;
  const perGroup = channels / groups;
  const size = perGroup * height * width;
  const { centred, inverseDeviation: r } = statistics(model, x, shapes, geometry);
  const { sums, products } = normSums(model, x, dy, shapes, geometry);
  const gamma = model.reshape(scale, [1, groups, perGroup]);
  const overGroup = (values: string): string =>
    model.node('ReduceSum', [model.node('Mul', [values, gamma]), model.ints([2])], { keepdims: 1 });
  const rShare = model.node('Mul', [r, model.float(-1 / size)]);
  const p = model.node('Mul', [model.node('Mul', [r, rShare]), overGroup(products)]);
  const q = model.node('Mul', [rShare, overGroup(sums)]);
  const toChannels = (values: string): string =>
    model.reshape(model.node('Expand', [values, model.ints([n, groups, perGroup])]), [
      n * channels,
    ]);
  const sum = lowerBlockedAffine(model, centred, shapes.x, toChannels(p), {
    offset: toChannels(q),
  });
  return lowerBlockedAffine(model, dy, shapes.x, model.node('Mul', [r, gamma]), { sum });
}

/** The sum over every channel of all samples, [C], or of each example's. */
export function lowerBlockedChannelSum(
  model: OnnxModel,
  x: string,
  shapes: { x: Shape; block: number },
  { examples }: Summed,
): string {
  const [n, channels] = imageShape(shapes.x, 'channelSum');
  return sumSamples(model, overPixels(model, 'ReduceSum', x, shapes), [n, channels], examples);
}

/** c, blocked as x is, and r [N, G, 1]. */
function statistics(
  model: OnnxModel,
  x: string,
  shapes: { x: Shape; block: number },
  { groups, epsilon }: NormGeometry,
): { centred: string; inverseDeviation: string } {
  const [n, channels] = imageShape(shapes.x, 'groupNorm');
  const perGroup = channels / groups;
  const groupMean = (values: string): string =>
    model.node(
      'ReduceMean',
      [model.reshape(overPixels(model, 'ReduceMean', values, shapes), [n, groups, perGroup])],
      { axes: [2], keepdims: 1 },
    );
  const offset = model.reshape(
    model.node('Expand', [model.node('Neg', [groupMean(x)]), model.ints([n, groups, perGroup])]),
    [n * channels],
  );
  const ones = model.floats(new Float32Array(n * channels).fill(1));
  const centred = lowerBlockedAffine(model, x, shapes.x, ones, { offset });
  const variance = groupMean(model.node('Mul', [centred, centred]));
  const raised = model.node('Add', [variance, model.float(epsilon)]);
  return {
    centred,
    inverseDeviation: model.node('Reciprocal', [model.node('Sqrt', [raised])]),
  };
}

/** Per sample and channel, [N, G, C/G]: Σ dy, and r · Σ dy·c. */
function normSums(
  model: OnnxModel,
  x: string,
  dy: string,
  shapes: { x: Shape; block: number },
  geometry: NormGeometry,
): { sums: string; products: string } {
  const [n, channels] = imageShape(shapes.x, 'groupNorm');
  const perGroup = [n, geometry.groups, channels / geometry.groups];
  const sums = model.reshape(overPixels(model, 'ReduceSum', dy, shapes), perGroup);
  const { centred, inverseDeviation } = statistics(model, x, shapes, geometry);
  const dots = overPixels(model, 'ReduceSum', model.node('Mul', [dy, centred]), shapes);
  const raw = model.reshape(dots, perGroup);
  return { sums, products: model.node('Mul', [inverseDeviation, raw]) };
}

/** The sum or mean over every channel of every sample, [N, C]. */
function overPixels(
  model: OnnxModel,
  op: 'ReduceSum' | 'ReduceMean',
  x: string,
  shapes: { x: Shape; block: number },
): string {
  const [n, channels, height, width] = imageShape(shapes.x, 'groupNorm');
  const { block } = shapes;
  const blocks = (n * channels) / block;
  // Rows first: the runtime adds one pixel after the other, and errors grow with the length of such a chain.
  const rows = reduce(model, op, model.reshape(x, [blocks * height, width, block]));
  const all = reduce(model, op, model.reshape(rows, [blocks, height, block]));
  return model.reshape(all, [n, channels]);
}

// The mean takes its axes as an attribute, the sum as an input.
function reduce(model: OnnxModel, op: 'ReduceSum' | 'ReduceMean', x: string): string {
  return op === 'ReduceMean'
    ? model.node(op, [x], { axes: [1], keepdims: 0 })
    : model.node(op, [x, model.ints([1])], { keepdims: 0 });
}
