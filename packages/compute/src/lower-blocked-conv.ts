import { blockedDomain } from './blocked-values.ts';
import { type ConvGeometry, imageShape, type Shape } from './graph.ts';
import type { OnnxModel } from './onnx-model.ts';

/** What a blocked convolution does besides: `sum` (blocked, of the result's shape) is added, then negative values become 0. */
export interface BlockedConvExtras {
  readonly bias?: string | undefined;
  readonly sum?: string | undefined;
  readonly relu?: boolean;
}

/**
 * The forward convolution of a blocked image, or of a plain one with fewer channels than a block. The result is blocked;
 * where the kernels do not fill a block, channels of zeros follow.
 */
export function lowerBlockedConv(
  model: OnnxModel,
  [x, w]: readonly [string, string],
  shapes: { w: Shape; block: number },
  { stride, padding }: Pick<ConvGeometry, 'stride' | 'padding'>,
  { bias, sum, relu = false }: BlockedConvExtras = {},
): string {
  const { block } = shapes;
  const [out, channels, kernel] = imageShape(shapes.w, 'conv');
  const filled = Math.ceil(out / block) * block;
  const fill = (values: string, dims: number): string =>
    filled === out
      ? values
      : model.node('Pad', [
          values,
          model.ints(Array.from({ length: 2 * dims }, (_, i) => (i === dims ? filled - out : 0))),
          model.float(0),
        ]);
  const weights = fill(w, 4);
  // The kernels as one image of `filled` channels: each block of them then lies innermost, [filled / block, C, taps, block].
  const taps = kernel * kernel;
  const innermost = reorder(model, model.reshape(weights, [1, filled, channels * taps, 1]));
  const ordered =
    channels < block
      ? innermost
      : model.node(
          'Transpose',
          [model.reshape(innermost, [(filled * channels) / block ** 2, block, taps, block])],
          { perm: [0, 2, 1, 3] },
        );
  const filter = model.reshape(ordered, [filled, channels, kernel, kernel]);
  return blockedConv(model, [x, filter, bias === undefined ? '' : fill(bias, 1), sum ?? ''], {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
    ...(relu ? { activation: 'Relu' } : {}),
  });
}

/** The transpose of a convolution at stride 1: the convolution of `dy` with kernels turned by 180° and channels exchanged. */
export function lowerBlockedConvTranspose(
  model: OnnxModel,
  [dy, w]: readonly [string, string],
  shapes: { w: Shape; block: number },
  { padding }: ConvGeometry,
  sum?: string,
): string {
  const { block } = shapes;
  const [out, channels, kernel] = imageShape(shapes.w, 'convTranspose');
  const taps = kernel * kernel;
  const blocks = channels / block;
  const innermost = reorder(model, w); // [O, C / block, taps, block]
  const exchanged =
    out < block
      ? model.node('Transpose', [model.reshape(innermost, [out, blocks, taps, block])], {
          perm: [1, 0, 2, 3],
        })
      : model.node(
          'Transpose',
          [model.reshape(innermost, [out / block, block, blocks, taps, block])],
          { perm: [2, 0, 3, 1, 4] },
        );
  const backwards = model.ints(Array.from({ length: taps }, (_, tap) => taps - 1 - tap));
  const turned = taps === 1 ? exchanged : model.node('Gather', [exchanged, backwards], { axis: 2 });
  const filter = model.reshape(turned, [channels, out, kernel, kernel]);
  const reach = kernel - 1 - padding;
  return blockedConv(model, [dy, filter, '', sum ?? ''], {
    kernel_shape: [kernel, kernel],
    strides: [1, 1],
    pads: [reach, reach, reach, reach],
  });
}

/** Per sample and channel, x · factor + offset, then `extras`; `factor` and `offset` are [N · C], the result is blocked as `x` is. */
export function lowerBlockedAffine(
  model: OnnxModel,
  x: string,
  shape: Shape,
  factor: string,
  { offset, sum, relu = false }: { offset?: string; sum?: string; relu?: boolean } = {},
): string {
  const [n, channels, height, width] = imageShape(shape, 'groupNorm');
  const planes = [1, n * channels, height, width];
  const mapped = blockedConv(
    model,
    [
      model.reshape(x, planes),
      model.reshape(factor, [n * channels, 1, 1, 1]),
      offset ?? '',
      sum === undefined ? '' : model.reshape(sum, planes),
    ],
    { kernel_shape: [1, 1], group: n * channels, ...(relu ? { activation: 'Relu' } : {}) },
  );
  return model.reshape(mapped, shape);
}

function reorder(model: OnnxModel, x: string): string {
  return model.node(`${blockedDomain}.ReorderInput`, [x]);
}

export function blockedConv(
  model: OnnxModel,
  inputs: readonly string[],
  attributes: Readonly<Record<string, number | readonly number[] | string>>,
): string {
  const given = [...inputs];
  while (given.at(-1) === '') given.pop();
  return model.node(`${blockedDomain}.Conv`, given, attributes);
}
