import { blockedDomain } from './blocked-values.ts';
import { imageShape, type NormGeometry, type Shape, type Summed, sizeOf } from './graph.ts';
import { blockedConv, lowerBlockedAffine } from './lower-blocked-conv.ts';
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
  return sumSamples(model, sumPixels(model, x, shapes), [n, channels], examples);
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
  const share = model.float(1 / sizeOf(shapes.x.slice(2)));
  const groupMean = (sums: string): string => {
    const means = model.reshape(model.node('Mul', [sums, share]), [n, groups, perGroup]);
    return model.node('ReduceMean', [means], { axes: [2], keepdims: 1 });
  };
  const offset = model.reshape(
    model.node('Expand', [
      model.node('Neg', [groupMean(sumPixels(model, x, shapes))]),
      model.ints([n, groups, perGroup]),
    ]),
    [n * channels],
  );
  const ones = model.floats(new Float32Array(n * channels).fill(1));
  const centred = lowerBlockedAffine(model, x, shapes.x, ones, { offset });
  const variance = groupMean(sumProducts(model, centred, centred, shapes));
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
  const sums = model.reshape(sumPixels(model, dy, shapes), perGroup);
  const { centred, inverseDeviation } = statistics(model, x, shapes, geometry);
  const dots = sumProducts(model, dy, centred, shapes);
  const raw = model.reshape(dots, perGroup);
  return { sums, products: model.node('Mul', [inverseDeviation, raw]) };
}

/** The sum over every channel of every sample, [N, C]. */
function sumPixels(model: OnnxModel, x: string, shapes: { x: Shape; block: number }): string {
  const { planes, rows, width } = stripsOf(shapes.x);
  const strips = model.reshape(x, [1, planes, rows, width]);
  const means = model.node(`${blockedDomain}.GlobalAveragePool`, [strips]);
  return overStrips(model, model.node('Mul', [means, model.float(rows * width)]), shapes);
}

/**
 * Σ a·b over every channel of every sample, [N, C]: a depthwise convolution of one image by the other, which has one place for each channel and
 * writes no product to memory.
 */
function sumProducts(
  model: OnnxModel,
  a: string,
  b: string,
  shapes: { x: Shape; block: number },
): string {
  const { planes, rows, width } = stripsOf(shapes.x);
  const products = blockedConv(
    model,
    [model.reshape(a, [1, planes, rows, width]), model.reshape(b, [planes, 1, rows, width])],
    { kernel_shape: [rows, width], group: planes },
  );
  return overStrips(model, products, shapes);
}

// The runtime adds one pixel after the other, and errors grow with the length of such a chain.
const longestChain = 256;

/** An image's channels, each cut into strips of so many rows, as planes of their own. */
function stripsOf(shape: Shape): { planes: number; rows: number; width: number } {
  const [n, channels, height, width] = imageShape(shape, 'groupNorm');
  let rows = height;
  while (rows * width > longestChain && rows % 2 === 0) rows /= 2;
  return { planes: (n * channels * height) / rows, rows, width };
}

/** Values for every strip, summed: [N, C]. */
function overStrips(model: OnnxModel, x: string, shapes: { x: Shape; block: number }): string {
  const [n, channels, height] = imageShape(shapes.x, 'groupNorm');
  const { rows } = stripsOf(shapes.x);
  const { block } = shapes;
  const parts = model.reshape(x, [(n * channels) / block, height / rows, block]);
  const sums = model.node('ReduceSum', [parts, model.ints([1])], { keepdims: 0 });
  return model.reshape(sums, [n, channels]);
}
