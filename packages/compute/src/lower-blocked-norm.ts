import { blockedDomain } from './blocked-values.ts';
import { type NormGeometry, type Shape, type Summed, sizeOf } from './graph.ts';
import { flatShape, planesOf } from './image-planes.ts';
import { blockedConv, lowerBlockedAffine } from './lower-blocked-conv.ts';
import type { OnnxModel } from './onnx-model.ts';
import { sumSamples } from './sum-samples.ts';

// The formulas and letters of lower-norm.ts on blocked images: sums over pixels, and over the planes of an image with depth, leave
// [N, C], and what multiplies and adds per channel (of every plane) is a convolution by one value.

/** y = c · (r γ) + β, with negative values set to 0 where `relu`. */
export function lowerBlockedGroupNorm(
  model: OnnxModel,
  [x, scale, shift]: readonly [string, string, string],
  shapes: { x: Shape; block: number },
  geometry: NormGeometry,
  relu: boolean,
): string {
  const { groups } = geometry;
  const { channels } = planesOf(shapes.x, 'groupNorm');
  const { centred, inverseDeviation } = statistics(model, x, shapes, geometry);
  const perGroup = [1, groups, channels / groups];
  const factor = model.node('Mul', [inverseDeviation, model.reshape(scale, perGroup)]);
  const offset = toPlanes(model, model.reshape(shift, perGroup), shapes.x, groups);
  return affine(model, centred, shapes.x, toPlanes(model, factor, shapes.x, groups), {
    offset,
    relu,
  });
}

/** dγ = Σ over samples, of all or of each example, of r · Σ dy·c. */
export function lowerBlockedGroupNormScaleGradient(
  model: OnnxModel,
  [x, dy]: readonly [string, string],
  shapes: { x: Shape; block: number },
  geometry: NormGeometry & Summed,
): string {
  const { groups, examples } = geometry;
  const { samples: n, channels } = planesOf(shapes.x, 'groupNorm');
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
  const { channels, depth, height, width } = planesOf(shapes.x, 'groupNorm');
  const { groups } = geometry;
  const perGroup = channels / groups;
  const size = perGroup * depth * height * width;
  const { centred, inverseDeviation: r } = statistics(model, x, shapes, geometry);
  const { sums, products } = normSums(model, x, dy, shapes, geometry);
  const gamma = model.reshape(scale, [1, groups, perGroup]);
  const overGroup = (values: string): string =>
    model.node('ReduceSum', [model.node('Mul', [values, gamma]), model.ints([2])], { keepdims: 1 });
  const rShare = model.node('Mul', [r, model.float(-1 / size)]);
  const p = model.node('Mul', [model.node('Mul', [r, rShare]), overGroup(products)]);
  const q = model.node('Mul', [rShare, overGroup(sums)]);
  const spread = (values: string): string => toPlanes(model, values, shapes.x, groups);
  const sum = affine(model, centred, shapes.x, spread(p), { offset: spread(q) });
  return affine(model, dy, shapes.x, spread(model.node('Mul', [r, gamma])), { sum });
}

/** The sum over every channel of all samples, [C], or of each example's. */
export function lowerBlockedChannelSum(
  model: OnnxModel,
  x: string,
  shapes: { x: Shape; block: number },
  { examples }: Summed,
): string {
  const { samples: n, channels } = planesOf(shapes.x, 'channelSum');
  return sumSamples(model, sumPixels(model, x, shapes), [n, channels], examples);
}

/** c, blocked as x is, and r [N, G, 1]. */
function statistics(
  model: OnnxModel,
  x: string,
  shapes: { x: Shape; block: number },
  { groups, epsilon }: NormGeometry,
): { centred: string; inverseDeviation: string } {
  const { samples: n, channels, depth } = planesOf(shapes.x, 'groupNorm');
  const perGroup = channels / groups;
  const share = model.float(1 / sizeOf(shapes.x.slice(2)));
  const groupMean = (sums: string): string => {
    const means = model.reshape(model.node('Mul', [sums, share]), [n, groups, perGroup]);
    return model.node('ReduceMean', [means], { axes: [2], keepdims: 1 });
  };
  const mean = groupMean(sumPixels(model, x, shapes));
  const offset = toPlanes(model, model.node('Neg', [mean]), shapes.x, groups);
  const ones = model.floats(new Float32Array(n * depth * channels).fill(1));
  const centred = affine(model, x, shapes.x, ones, { offset });
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
  const { samples: n, channels } = planesOf(shapes.x, 'groupNorm');
  const perGroup = [n, geometry.groups, channels / geometry.groups];
  const sums = model.reshape(sumPixels(model, dy, shapes), perGroup);
  const { centred, inverseDeviation } = statistics(model, x, shapes, geometry);
  const dots = sumProducts(model, dy, centred, shapes);
  const raw = model.reshape(dots, perGroup);
  return { sums, products: model.node('Mul', [inverseDeviation, raw]) };
}

/** Values per sample and channel, or per group, that broadcast to [N, G, C/G], for every plane: [N · D · C]. */
function toPlanes(model: OnnxModel, values: string, shape: Shape, groups: number): string {
  const { samples: n, depth, channels } = planesOf(shape, 'groupNorm');
  const perGroup = [n, groups, channels / groups];
  const perChannel = model.node('Expand', [values, model.ints(perGroup)]);
  if (depth === 1) return model.reshape(perChannel, [n * channels]);
  const perPlane = model.node('Expand', [
    model.reshape(perChannel, [n, 1, channels]),
    model.ints([n, depth, channels]),
  ]);
  return model.reshape(perPlane, [n * depth * channels]);
}

function affine(
  model: OnnxModel,
  x: string,
  shape: Shape,
  factor: string,
  extras: { offset?: string; sum?: string; relu?: boolean },
): string {
  return lowerBlockedAffine(model, x, flatShape(planesOf(shape, 'groupNorm')), factor, extras);
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

/** An image's channels, those of each plane by themselves, each cut into strips of so many rows, as planes of their own. */
function stripsOf(shape: Shape): { planes: number; rows: number; width: number } {
  const { samples: n, depth, channels, height, width } = planesOf(shape, 'groupNorm');
  let rows = height;
  while (rows * width > longestChain && rows % 2 === 0) rows /= 2;
  return { planes: (n * depth * channels * height) / rows, rows, width };
}

/** Values for every strip, summed: [N, C]. */
function overStrips(model: OnnxModel, x: string, shapes: { x: Shape; block: number }): string {
  const { samples: n, depth, channels, height } = planesOf(shapes.x, 'groupNorm');
  const { rows } = stripsOf(shapes.x);
  const { block } = shapes;
  const sum = (values: string): string =>
    model.node('ReduceSum', [values, model.ints([1])], { keepdims: 0 });
  const parts = model.reshape(x, [(n * depth * channels) / block, height / rows, block]);
  const byPlane = sum(parts);
  const summed = depth === 1 ? byPlane : sum(model.reshape(byPlane, [n, depth, channels]));
  return model.reshape(summed, [n, channels]);
}
