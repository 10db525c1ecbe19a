import { type ConvGeometry, imageShape, type Shape } from './graph.ts';
import type { OnnxModel } from './onnx-model.ts';

/** The forward convolution as ONNX `Conv`. */
export function lowerConv(
  model: OnnxModel,
  inputs: readonly string[],
  kernel: number,
  { stride, padding }: ConvGeometry,
): string {
  return model.node('Conv', inputs, convAttributes(kernel, stride, padding));
}

/**
 * The gradient by the convolution's input: at stride 1 the convolution of `dy` with the kernels turned by 180° and
 * channels exchanged, which runtimes execute as fast as the forward pass; otherwise a transposed convolution.
 */
export function lowerConvInputGradient(
  model: OnnxModel,
  [dy, w]: readonly [string, string],
  shapes: { x: Shape; w: Shape; dy: Shape },
  { stride, padding }: ConvGeometry,
): string {
  const [out, channels, kernel] = imageShape(shapes.w, 'conv2dInputGradient');
  if (stride === 1) {
    const taps = kernel * kernel;
    const exchanged = model.node('Transpose', [model.reshape(w, [out, channels, taps])], {
      perm: [1, 0, 2],
    });
    const turned = taps === 1 ? exchanged : reverseLast(model, exchanged, taps);
    const kernels = model.reshape(turned, [channels, out, kernel, kernel]);
    return lowerConv(model, [dy, kernels], kernel, { stride, padding: kernel - 1 - padding });
  }
  const [, , height, width] = imageShape(shapes.x, 'conv2dInputGradient');
  const [, , dyHeight, dyWidth] = imageShape(shapes.dy, 'conv2dInputGradient');
  const missing = (size: number, steps: number): number =>
    size - ((steps - 1) * stride + kernel - 2 * padding);
  return model.node('ConvTranspose', [dy, w], {
    ...convAttributes(kernel, stride, padding),
    output_padding: [missing(height, dyHeight), missing(width, dyWidth)],
  });
}

/**
 * The gradient by the weight, as one matrix product per kernel tap: `dy` [N, O, P] times the input shifted by the tap,
 * [N, P, C], summed over samples. Uses only operators that every provider has.
 */
export function lowerConvWeightGradientByTaps(
  model: OnnxModel,
  [x, dy]: readonly [string, string],
  shapes: { x: Shape; w: Shape; dy: Shape },
  { stride, padding }: ConvGeometry,
): string {
  const [out, channels, kernel] = imageShape(shapes.w, 'conv2dWeightGradient');
  const [n, , dyHeight, dyWidth] = imageShape(shapes.dy, 'conv2dWeightGradient');
  const pixels = dyHeight * dyWidth;
  const rows = model.reshape(dy, [n, out, pixels]);
  const padded =
    padding === 0
      ? x
      : model.node('Pad', [
          x,
          model.ints([0, 0, padding, padding, 0, 0, padding, padding]),
          model.float(0),
        ]);
  const taps: string[] = [];
  for (let row = 0; row < kernel; row++) {
    for (let column = 0; column < kernel; column++) {
      const shifted = model.node('Slice', [
        padded,
        model.ints([row, column]),
        model.ints([row + (dyHeight - 1) * stride + 1, column + (dyWidth - 1) * stride + 1]),
        model.ints([2, 3]),
        model.ints([stride, stride]),
      ]);
      const columns = model.node('Transpose', [model.reshape(shifted, [n, channels, pixels])], {
        perm: [0, 2, 1],
      });
      const product = model.node('MatMul', [rows, columns]);
      const summed = model.node('ReduceSum', [product, model.ints([0])], { keepdims: 0 });
      taps.push(model.reshape(summed, [out, channels, 1]));
    }
  }
  const [only = ''] = taps;
  const joined = taps.length === 1 ? only : model.node('Concat', taps, { axis: 2 });
  return model.reshape(joined, [out, channels, kernel, kernel]);
}

/**
 * The gradient by the weight, as one wide convolution, in which the runtime unfolds the shifted images inside its cache
 * instead of writing them to memory once per tap.
 *
 * The image is laid out with channels innermost and its rows flattened, [H, W·C]; `dy` [Ho, Wo] becomes the kernel, dilated
 * by C along a row, so that the result's K × K·C places are exactly the taps of every channel. Samples are groups.
 * At stride 1 either image can play the kernel; the one with fewer channels is unfolded.
 */
export function lowerConvWeightGradientWide(
  model: OnnxModel,
  [x, dy]: readonly [string, string],
  shapes: { x: Shape; w: Shape; dy: Shape },
  geometry: ConvGeometry,
): string {
  const { stride, padding } = geometry;
  const [out, channels, kernel] = imageShape(shapes.w, 'conv2dWeightGradient');
  if (kernel === 1 && stride === 1 && padding === 0) {
    return lowerConvWeightGradientByTaps(model, [x, dy], shapes, geometry);
  }
  if (stride === 1 && out < channels) {
    const swapped = wideProduct(model, dy, x, { unfolded: shapes.dy, kernel: shapes.x }, kernel, {
      stride,
      padding: kernel - 1 - padding,
    });
    const taps = model.reshape(swapped, [channels, kernel * kernel, out]);
    const ordered = model.node('Transpose', [taps], { perm: [2, 0, 1] });
    return model.reshape(reverseLast(model, ordered, kernel * kernel), shapes.w);
  }
  const product = wideProduct(
    model,
    x,
    dy,
    { unfolded: shapes.x, kernel: shapes.dy },
    kernel,
    geometry,
  );
  const taps = model.reshape(product, [out, kernel * kernel, channels]);
  return model.reshape(model.node('Transpose', [taps], { perm: [0, 2, 1] }), shapes.w);
}

/** Σ over samples and pixels of `kernel`'s channels times `unfolded`'s, at every tap: [A, taps, taps · B]. */
function wideProduct(
  model: OnnxModel,
  unfolded: string,
  kernel: string,
  shapes: { unfolded: Shape; kernel: Shape },
  taps: number,
  { stride, padding }: ConvGeometry,
): string {
  const [n, b, height, width] = imageShape(shapes.unfolded, 'conv2dWeightGradient');
  const [, a, kernelHeight, kernelWidth] = imageShape(shapes.kernel, 'conv2dWeightGradient');
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
  return model.node('ReduceSum', [perSample, model.ints([0])], { keepdims: 0 });
}

// As a product with the reversed identity: exact, and six times faster in onnxruntime than picking single values.
function reverseLast(model: OnnxModel, x: string, length: number): string {
  const reversed = new Float32Array(length * length);
  for (let row = 0; row < length; row++) reversed[row * length + (length - 1 - row)] = 1;
  return model.node('MatMul', [x, model.floats(reversed, [length, length])]);
}

function convAttributes(
  kernel: number,
  stride: number,
  padding: number,
): { kernel_shape: number[]; strides: number[]; pads: number[] } {
  return {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
  };
}
