import { type ConvGeometry, gridShape, type Shape } from './graph.ts';
import { flatShape, type ImagePlanes, uprightShape } from './image-planes.ts';
import {
  type BlockedConvExtras,
  blockedConv,
  lowerBlockedConv,
  lowerBlockedConvTranspose,
} from './lower-blocked-conv.ts';
import type { OnnxModel } from './onnx-model.ts';

// A convolution over three axes, of an image that is blocked plane by plane: one over two axes, whose result has the channels of
// every depth tap beside each other, [N, D, K, O, H, W], and the sum of every K-th of these over neighbouring planes. The planes
// are thus neither shifted nor joined, and K times as many channels keep the runtime's kernel busy, even if O is one block.

/** Whether the runtime's operators can make up a convolution over three axes of this geometry, and its gradients. */
export function isDeepGeometry({ stride, dilation, groups }: ConvGeometry): boolean {
  return stride === 1 && dilation === 1 && groups === 1;
}

/**
 * The forward convolution; `x` and the result as for `lowerBlockedConv`, plane by plane. `planes` are the result's. With a bias, each
 * plane of the result must have the input's at the tap `padding`: so it is unless the result is deeper than the input.
 */
export function lowerDeepConv(
  model: OnnxModel,
  [x, w]: readonly [string, string],
  shapes: { w: Shape; planes: ImagePlanes; block: number },
  geometry: ConvGeometry,
  { bias, sum, relu = false }: BlockedConvExtras = {},
): string {
  const { block } = shapes;
  const [out, channels, [size = 1]] = gridShape(shapes.w, 'conv');
  if (size === 1) {
    const flat = [out, channels, 1, 1];
    const given = { w: flat, block };
    return lowerBlockedConv(model, [x, model.reshape(w, flat)], given, geometry, {
      bias,
      sum,
      relu,
    });
  }
  const filled = Math.ceil(out / block) * block;
  const kernels = padFirst(model, w, [0, filled - out], 5);
  const perTap = model.node('Transpose', [kernels], { perm: [2, 0, 1, 3, 4] });
  const flat = [size * filled, channels, size, size];
  const { padding } = geometry;
  const before = padding * filled;
  const biases = bias && padFirst(model, bias, [before, size * filled - before - out], 1);
  const taps = lowerBlockedConv(
    model,
    [x, model.reshape(perTap, flat)],
    { w: flat, block },
    geometry,
    { bias: biases },
  );
  const planes = { ...shapes.planes, channels: filled };
  return sumTaps(model, taps, planes, { size, padding, block }, { sum, relu });
}

/** The transpose of a convolution at stride 1. `planes` are the result's. */
export function lowerDeepConvTranspose(
  model: OnnxModel,
  [dy, w]: readonly [string, string],
  shapes: { w: Shape; planes: ImagePlanes; block: number },
  geometry: ConvGeometry,
  sum?: string,
): string {
  const { planes, block } = shapes;
  const [out, channels, [size = 1]] = gridShape(shapes.w, 'convTranspose');
  const flat = [out, size * channels, size, size];
  const perTap = model.node('Transpose', [w], { perm: [0, 2, 1, 3, 4] });
  const backwards = model.ints(Array.from({ length: size }, (_, tap) => size - 1 - tap));
  const kernels = size === 1 ? w : model.node('Gather', [perTap, backwards], { axis: 1 });
  const inputs = [dy, model.reshape(kernels, flat)] as const;
  const given = { w: flat, block };
  if (size === 1) return lowerBlockedConvTranspose(model, inputs, given, geometry, sum);
  const taps = lowerBlockedConvTranspose(model, inputs, given, geometry);
  const padding = size - 1 - geometry.padding;
  return sumTaps(model, taps, planes, { size, padding, block }, { sum });
}

/**
 * y[d] = Σ over taps k of z[d + k − padding, k]: in rows of K taps, [D · K, C · H · W], these lie K + 1 rows apart, so it is
 * a convolution by ones along the height.
 */
function sumTaps(
  model: OnnxModel,
  taps: string,
  planes: ImagePlanes,
  { size, padding, block }: { size: number; padding: number; block: number },
  { sum, relu = false }: { sum?: string | undefined; relu?: boolean },
): string {
  const upright = uprightShape(planes, block);
  const [n = 1, , depth = 1, row = 1] = upright;
  const rows = (depth - 2 * padding + size - 1) * size;
  const ones = model.floats(new Float32Array(block * size).fill(1), [block, 1, size, 1]);
  const summed = blockedConv(
    model,
    [
      model.reshape(taps, [n, block, rows, row]),
      ones,
      '',
      sum === undefined ? '' : model.reshape(sum, upright),
    ],
    {
      kernel_shape: [size, 1],
      dilations: [size + 1, 1],
      strides: [size, 1],
      pads: [padding * size, 0, padding * size, 0],
      group: block,
      ...(relu ? { activation: 'Relu' } : {}),
    },
  );
  return model.reshape(summed, flatShape(planes));
}

/** Zeros before and after along the first of `dims` axes. */
function padFirst(
  model: OnnxModel,
  x: string,
  [before, after]: readonly [number, number],
  dims: number,
): string {
  if (before === 0 && after === 0) return x;
  const pads = Array.from({ length: 2 * dims }, (_, i) =>
    i === 0 ? before : i === dims ? after : 0,
  );
  return model.node('Pad', [x, model.ints(pads), model.float(0)]);
}
