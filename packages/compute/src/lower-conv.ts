import { type ConvGeometry, gridShape, type Shape, type Summed, sizeOf } from './graph.ts';
import type { OnnxModel } from './onnx-model.ts';
import { sumSamples } from './sum-samples.ts';

/** Whether to keep to what every provider has. */
interface Portability {
  readonly portable: boolean;
}

/** The forward convolution as ONNX `Conv`. */
export function lowerConv(
  model: OnnxModel,
  inputs: readonly string[],
  weight: Shape,
  geometry: ConvGeometry,
  portability: Portability,
): string {
  return convolve(model, inputs, weight, convAttributes(weight, geometry), portability);
}

/** One `Conv`; where `portable` over three axes, for which the WebGPU provider knows no groups, one for each group. */
function convolve(
  model: OnnxModel,
  [x = '', w = '', b]: readonly string[],
  [out = 1, inner = 1, ...kernel]: Shape,
  attributes: ConvAttributes,
  { portable }: Portability,
): string {
  const { group } = attributes;
  const given = (inputs: readonly (string | undefined)[]): string[] =>
    inputs.filter((input) => input !== undefined);
  if (group === 1 || !portable || kernel.length !== 3) {
    return model.node('Conv', given([x, w, b]), { ...attributes });
  }
  const cut = (value: string, axis: number, from: number, to: number): string =>
    model.node('Slice', [value, model.ints([from]), model.ints([to]), model.ints([axis])]);
  const each = out / group;
  const parts = Array.from({ length: group }, (_, at) => {
    const rows = [at * each, (at + 1) * each] as const;
    const part = [
      cut(x, 1, at * inner, (at + 1) * inner),
      cut(w, 0, ...rows),
      b === undefined ? undefined : cut(b, 0, ...rows),
    ];
    return model.node('Conv', given(part), { ...attributes, group: 1 });
  });
  return model.node('Concat', parts, { axis: 1 });
}

/**
 * The transpose of a convolution: at stride 1 the convolution of `y` with the kernels turned around and channels exchanged, which
 * runtimes execute as fast as the forward pass; otherwise `ConvTranspose`, or, where `portable` over three axes, for which the WebGPU provider has
 * none, the same convolution of `y` with zeros between its pixels.
 */
export function lowerConvTranspose(
  model: OnnxModel,
  [y, w]: readonly [string, string],
  shapes: { x: Shape; w: Shape; y: Shape },
  geometry: ConvGeometry,
  portability: Portability,
): string {
  const { stride, padding, dilation, groups } = geometry;
  const [out, inner, kernel] = gridShape(shapes.w, 'convTranspose');
  const [size = 1] = kernel;
  const reach = dilation * (size - 1) + 1;
  const [, , xSpatial] = gridShape(shapes.x, 'convTranspose');
  const [, , ySpatial] = gridShape(shapes.y, 'convTranspose');
  const missing = xSpatial.map(
    (pixels, axis) => pixels - (((ySpatial[axis] ?? 1) - 1) * stride + reach - 2 * padding),
  );
  if (stride > 1 && !(portability.portable && kernel.length === 3)) {
    const attributes = convAttributes(shapes.w, geometry);
    return model.node('ConvTranspose', [y, w], { ...attributes, output_padding: missing });
  }
  const taps = sizeOf(kernel);
  const grouped = model.reshape(w, [groups, out / groups, inner, taps]);
  const exchanged = model.node('Transpose', [grouped], { perm: [0, 2, 1, 3] });
  const turned = taps === 1 ? exchanged : reverseLast(model, exchanged, taps);
  const shape = [groups * inner, out / groups, ...kernel];
  const edge = reach - 1 - padding;
  const attributes = {
    ...convAttributes(shape, { ...geometry, stride: 1 }),
    pads: [...kernel.map(() => edge), ...missing.map((rest) => edge + rest)],
  };
  const inputs = [spaced(model, y, shapes.y, stride), model.reshape(turned, shape)];
  return convolve(model, inputs, shape, attributes, portability);
}

/** `y` with `stride` − 1 zeros between neighbouring pixels along every axis. */
function spaced(model: OnnxModel, y: string, shape: Shape, stride: number): string {
  if (stride === 1) return y;
  let at = y;
  let now = [...shape];
  for (let axis = 2; axis < shape.length; axis++) {
    const [steps = 1, outer, inner] = [now[axis], now.slice(0, axis), now.slice(axis + 1)];
    const pixels = model.reshape(at, [sizeOf(outer) * steps, 1, sizeOf(inner)]);
    const pads = model.ints([0, 0, 0, 0, stride - 1, 0]);
    const wide = model.reshape(model.node('Pad', [pixels, pads, model.float(0)]), [
      ...outer,
      steps * stride,
      ...inner,
    ]);
    const end = (steps - 1) * stride + 1;
    at = model.node('Slice', [wide, model.ints([0]), model.ints([end]), model.ints([axis])]);
    now = [...outer, end, ...inner];
  }
  return at;
}

/**
 * The gradient by the weight, as one matrix product per kernel tap: `dy` [N, G, O/G, P] times the input shifted by the tap,
 * [N, G, P, C/G], summed over samples. Uses only operators that every provider has.
 */
export function lowerConvWeightGradientByTaps(
  model: OnnxModel,
  [x, dy]: readonly [string, string],
  shapes: { x: Shape; w: Shape; dy: Shape },
  { stride, padding, dilation, groups, examples }: ConvGeometry & Summed,
): string {
  const [out, inner, kernel] = gridShape(shapes.w, 'convWeightGradient');
  const [n, , ySpatial] = gridShape(shapes.dy, 'convWeightGradient');
  const pixels = sizeOf(ySpatial);
  const each = out / groups;
  const rows = model.reshape(dy, [n, groups, each, pixels]);
  const edges = kernel.map(() => padding);
  const padded =
    padding === 0
      ? x
      : model.node('Pad', [x, model.ints([0, 0, ...edges, 0, 0, ...edges]), model.float(0)]);
  const axes = model.ints(kernel.map((_, axis) => axis + 2));
  const strides = model.ints(kernel.map(() => stride));
  const taps = placesOf(kernel).map((tap) => {
    const starts = tap.map((place) => place * dilation);
    const ends = starts.map((start, axis) => start + ((ySpatial[axis] ?? 1) - 1) * stride + 1);
    const bounds = [model.ints(starts), model.ints(ends)];
    const shifted = model.node('Slice', [padded, ...bounds, axes, strides]);
    const columns = model.node('Transpose', [model.reshape(shifted, [n, groups, inner, pixels])], {
      perm: [0, 1, 3, 2],
    });
    const product = model.node('MatMul', [rows, columns]);
    const summed = sumSamples(model, product, [n, groups, each, inner], examples);
    return model.reshape(summed, [...examplesOf(examples), out, inner, 1]);
  });
  const [only = ''] = taps;
  const axis = examples === null ? 2 : 3;
  const joined = taps.length === 1 ? only : model.node('Concat', taps, { axis });
  return model.reshape(joined, [...examplesOf(examples), ...shapes.w]);
}

/**
 * The gradient by the weight, as one wide convolution, in which the runtime unfolds the shifted images inside its cache
 * instead of writing them to memory once per tap. For two spatial axes, one group and no dilation; otherwise by taps.
 *
 * The image is laid out with channels innermost and its rows flattened, [H, W·C]; `dy` [Ho, Wo] becomes the kernel, dilated
 * by C along a row, so that the result's K × K·C places are exactly the taps of every channel. Samples are groups.
 * At stride 1 either image can play the kernel; the one with fewer channels is unfolded.
 */
export function lowerConvWeightGradientWide(
  model: OnnxModel,
  [x, dy]: readonly [string, string],
  shapes: { x: Shape; w: Shape; dy: Shape },
  geometry: ConvGeometry & Summed,
): string {
  const { stride, padding, dilation, groups, examples } = geometry;
  const [out, channels, spatial] = gridShape(shapes.w, 'convWeightGradient');
  const [kernel = 1] = spatial;
  const plain = kernel === 1 && stride === 1 && padding === 0;
  if (plain || spatial.length !== 2 || dilation !== 1 || groups !== 1) {
    return lowerConvWeightGradientByTaps(model, [x, dy], shapes, geometry);
  }
  const lead = examplesOf(examples);
  const moved = lead.length;
  if (stride === 1 && out < channels) {
    const swapped = wideProduct(model, dy, x, { unfolded: shapes.dy, kernel: shapes.x }, kernel, {
      stride,
      padding: kernel - 1 - padding,
      examples,
    });
    const taps = model.reshape(swapped, [...lead, channels, kernel * kernel, out]);
    const perm = [...lead.keys(), moved + 2, moved, moved + 1];
    const ordered = model.node('Transpose', [taps], { perm });
    return model.reshape(reverseLast(model, ordered, kernel * kernel), [...lead, ...shapes.w]);
  }
  const product = wideProduct(
    model,
    x,
    dy,
    { unfolded: shapes.x, kernel: shapes.dy },
    kernel,
    geometry,
  );
  const taps = model.reshape(product, [...lead, out, kernel * kernel, channels]);
  const perm = [...lead.keys(), moved, moved + 2, moved + 1];
  return model.reshape(model.node('Transpose', [taps], { perm }), [...lead, ...shapes.w]);
}

/** Σ over samples and pixels of `kernel`'s channels times `unfolded`'s, at every tap: [(E,) A · taps · taps · B]. */
function wideProduct(
  model: OnnxModel,
  unfolded: string,
  kernel: string,
  shapes: { unfolded: Shape; kernel: Shape },
  taps: number,
  { stride, padding, examples }: Pick<ConvGeometry, 'stride' | 'padding'> & Summed,
): string {
  const [n = 1, b = 1, height = 1, width = 1] = shapes.unfolded;
  const [, a = 1, kernelHeight = 1, kernelWidth = 1] = shapes.kernel;
  const innermost = model.node('Transpose', [unfolded], { perm: [0, 2, 3, 1] });
  const rows = model.reshape(innermost, [1, n, height, width * b]);
  const kernels = model.reshape(kernel, [n * a, 1, kernelHeight, kernelWidth]);
  const reach = (steps: number): number => (steps - 1) * stride + taps;
  // With stride > 1 the last rows may lie beyond every tap: the result is then larger than wanted, and cut.
  const bottom = reach(kernelHeight) - height - padding;
  const right = reach(kernelWidth) - width - padding;
  const conv = model.node('Conv', [rows, kernels], {
    kernel_shape: [kernelHeight, kernelWidth],
    dilations: [stride, stride * b],
    strides: [1, 1],
    pads: [padding, padding * b, Math.max(bottom, 0), Math.max(right, 0) * b],
    group: n,
  });
  const cut =
    bottom >= 0 && right >= 0
      ? conv
      : model.node('Slice', [
          conv,
          model.ints([0, 0]),
          model.ints([taps, taps * b]),
          model.ints([2, 3]),
        ]);
  const perSample = model.reshape(cut, [n, a * taps * taps * b]);
  return sumSamples(model, perSample, [n, a * taps * taps * b], examples);
}

function examplesOf(examples: number | null): number[] {
  return examples === null ? [] : [examples];
}

/** Every place in a kernel, row by row. */
function placesOf(kernel: readonly number[]): number[][] {
  let places: number[][] = [[]];
  for (const size of kernel) {
    places = places.flatMap((before) => Array.from({ length: size }, (_, at) => [...before, at]));
  }
  return places;
}

// As a product with the reversed identity: exact, and six times faster in onnxruntime than picking single values.
function reverseLast(model: OnnxModel, x: string, length: number): string {
  const reversed = new Float32Array(length * length);
  for (let row = 0; row < length; row++) reversed[row * length + (length - 1 - row)] = 1;
  return model.node('MatMul', [x, model.floats(reversed, [length, length])]);
}

interface ConvAttributes {
  readonly kernel_shape: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
  readonly group: number;
}

function convAttributes(
  weight: Shape,
  { stride, padding, dilation, groups }: ConvGeometry,
): ConvAttributes {
  const kernel = weight.slice(2);
  const each = (value: number): number[] => kernel.map(() => value);
  return {
    kernel_shape: [...kernel],
    strides: each(stride),
    pads: [...each(padding), ...each(padding)],
    dilations: each(dilation),
    group: groups,
  };
}
