import { blockedDomain } from './blocked-values.ts';
import { type ConvGeometry, imageShape, type Shape } from './graph.ts';
import { blockedConv } from './lower-blocked-conv.ts';
import type { OnnxModel } from './onnx-model.ts';

/** An image of the pair whose product the weight gradient is; plain only with fewer channels than a block. */
export interface BlockedImage {
  readonly name: string;
  readonly shape: Shape;
}

// The kernel image is read once for every six places of the result, so it should stay in the second-level cache. One that
// does not fit there is cut into strips of rows, of so much for each block of its channels.
const cachedBytes = 512 * 1024;
const stripBytes = 128 * 1024;

/**
 * The gradient by the weight from blocked images, without unfolding either: as in `lowerConvWeightGradientWide` one image
 * plays the kernel, and the other lies with its channels along the row, [H, W · channels], which is what a blocked image is.
 *
 * Each sample (and each strip of a large one) is a group, and the groups are summed. Answers undefined where the runtime has no
 * kernel for it: no image of the pair is blocked, or the groups do not fill blocks.
 */
export function lowerBlockedConvWeightGradient(
  model: OnnxModel,
  x: BlockedImage,
  dy: BlockedImage,
  shapes: { w: Shape; block: number },
  { stride, padding }: Pick<ConvGeometry, 'stride' | 'padding'>,
): string | undefined {
  const [out, channels, kernel] = imageShape(shapes.w, 'convWeightGradient');
  const taps = kernel * kernel;
  // At stride 1 either can be the kernel: the one with more channels, since more of its blocks share what is loaded.
  if (stride === 1 && (channels > out || out < shapes.block)) {
    const geometry = { stride, padding: kernel - 1 - padding };
    const swapped = wideProduct(model, dy, x, { kernel, ...shapes }, geometry);
    if (swapped === undefined) return undefined;
    const { product, lanes } = swapped;
    // [out / lanes, channels / block, taps, lanes, block] with the taps backwards.
    const backwards = model.ints(Array.from({ length: taps }, (_, tap) => taps - 1 - tap));
    const parts = [out / lanes, channels / shapes.block, taps, lanes, shapes.block];
    const turned = model.node('Gather', [model.reshape(product, parts), backwards], { axis: 2 });
    const ordered = model.node('Transpose', [turned], { perm: [0, 3, 1, 2, 4] });
    return reorderOutput(model, model.reshape(ordered, [out, channels, taps, 1]), channels, shapes);
  }
  const straight = wideProduct(model, x, dy, { kernel, ...shapes }, { stride, padding });
  if (straight === undefined) return undefined;
  const { product, lanes } = straight;
  const parts = [channels / lanes, out / shapes.block, taps, lanes, shapes.block];
  const ordered = model.node('Transpose', [model.reshape(product, parts)], {
    perm: [1, 0, 3, 2, 4],
  });
  return reorderOutput(model, model.reshape(ordered, [1, out, channels * taps, 1]), out, shapes);
}

function reorderOutput(model: OnnxModel, x: string, channels: number, { w }: { w: Shape }): string {
  return model.reshape(model.node(`${blockedDomain}.ReorderOutput`, [x], { channels }), w);
}

/** Σ over samples and pixels of `kernel`'s channels times `unfolded`'s, at every tap: [B / lanes, A / block, taps · lanes, block], flat. */
function wideProduct(
  model: OnnxModel,
  unfolded: BlockedImage,
  kernel: BlockedImage,
  { kernel: taps, block }: { kernel: number; block: number },
  { stride, padding }: Pick<ConvGeometry, 'stride' | 'padding'>,
): { product: string; lanes: number } | undefined {
  const [n, b, height, width] = imageShape(unfolded.shape, 'convWeightGradient');
  const [, a, kernelHeight, kernelWidth] = imageShape(kernel.shape, 'convWeightGradient');
  const strips = stripsOf(n, a, [kernelHeight, kernelWidth], block);
  if (a % block !== 0 || strips === undefined) return undefined;
  const lanes = b % block === 0 ? block : b;
  const blocks = b / lanes;
  const innermost =
    lanes === block
      ? unfolded.name
      : model.node('Transpose', [unfolded.name], { perm: [0, 2, 3, 1] });

  const reach = (steps: number): number => (steps - 1) * stride + taps;
  // With stride > 1 the last rows and columns may lie beyond every tap: they are then cut, by a negative padding.
  const right = reach(kernelWidth) - width - padding;
  const bottom = reach(kernelHeight) - height - padding;
  const sides = padding === 0 && right === 0;
  // Rows of zeros above and below cost the runtime nothing, unless strips must have them.
  const edges = strips === 1 && bottom >= 0;
  const [top, under] = edges ? [0, 0] : [padding, bottom];
  const padded = padImage(model, innermost, unfolded.shape, lanes, {
    pads: [top, padding, under, right],
    skip: sides && top === 0 && under === 0,
    block,
  });
  const rows = height + top + under;
  const rowSize = (width + padding + right) * lanes;
  const stripRows = kernelHeight / strips;
  const haloRows = strips === 1 ? rows : reach(stripRows);
  const gathered =
    strips === 1 && (blocks === 1 || n === 1)
      ? padded
      : gatherStrips(
          model,
          padded,
          { n, blocks, strips, rows, rowSize },
          stripRows * stride,
          haloRows,
        );
  const input = model.reshape(gathered, [blocks, n * strips, haloRows, rowSize]);

  const kernels = a / block;
  const cut =
    strips === 1 || kernels === 1
      ? kernel.name
      : model.node(
          'Transpose',
          [model.reshape(kernel.name, [n, kernels, strips, stripRows * kernelWidth * block])],
          { perm: [0, 2, 1, 3] },
        );
  const filter = model.reshape(cut, [n * strips * a, 1, stripRows, kernelWidth]);
  const products = blockedConv(model, [input, filter], {
    kernel_shape: [stripRows, kernelWidth],
    dilations: [stride, stride * lanes],
    strides: [1, 1],
    pads: edges ? [padding, 0, bottom, 0] : [0, 0, 0, 0],
    group: n * strips,
  });
  const perGroup = model.reshape(products, [blocks, n * strips, a * taps * taps * lanes]);
  const product = model.node('ReduceSum', [perGroup, model.ints([1])], { keepdims: 0 });
  return { product, lanes };
}

/** The least number of strips that divides the rows, is small enough, and makes groups that the runtime accepts. */
function stripsOf(
  n: number,
  channels: number,
  [rows, width]: readonly [number, number],
  block: number,
): number | undefined {
  const accepted = (strips: number): boolean => n * strips < block || (n * strips) % block === 0;
  const counts = Array.from({ length: rows }, (_, i) => i + 1).filter(
    (strips) => rows % strips === 0 && accepted(strips),
  );
  const cached = 4 * channels * rows * width <= cachedBytes;
  const small = (strips: number): boolean =>
    cached || 4 * block * (rows / strips) * width <= stripBytes;
  return counts.find(small) ?? counts.at(-1);
}

/** The unfolded image with zeros around, its rows flattened. */
export function padImage(
  model: OnnxModel,
  x: string,
  shape: Shape,
  lanes: number,
  { pads, skip, block }: { pads: readonly number[]; skip: boolean; block: number },
): string {
  if (skip) return x;
  const [n, channels, height, width] = imageShape(shape, 'convWeightGradient');
  const [top = 0, left = 0, bottom = 0, right = 0] = pads;
  if (lanes === block && bottom >= 0 && right >= 0) {
    // A convolution by 1, since it uses every thread.
    const planes = n * channels;
    const ones = model.floats(new Float32Array(planes).fill(1), [planes, 1, 1, 1]);
    return blockedConv(model, [model.reshape(x, [1, planes, height, width]), ones], {
      kernel_shape: [1, 1],
      group: planes,
      pads,
    });
  }
  const rows = model.reshape(x, [(n * channels) / lanes, height, width * lanes]);
  return model.node('Pad', [
    rows,
    model.ints([0, top, left * lanes, 0, bottom, right * lanes]),
    model.float(0),
  ]);
}

/** From [N, blocks, rows, rowSize] to [blocks, N, strips, haloRows, rowSize], a strip beginning every `step` rows. */
function gatherStrips(
  model: OnnxModel,
  x: string,
  sizes: { n: number; blocks: number; strips: number; rows: number; rowSize: number },
  step: number,
  haloRows: number,
): string {
  const { n, blocks, strips, rows, rowSize } = sizes;
  const order: number[] = [];
  for (let block = 0; block < blocks; block++) {
    for (let sample = 0; sample < n; sample++) {
      const image = (sample * blocks + block) * (strips === 1 ? 1 : rows);
      if (strips === 1) {
        order.push(image);
        continue;
      }
      for (let strip = 0; strip < strips; strip++) {
        for (let row = 0; row < haloRows; row++) order.push(image + strip * step + row);
      }
    }
  }
  const unit = strips === 1 ? [n * blocks, rows * rowSize] : [n * blocks * rows, rowSize];
  return model.node('Gather', [model.reshape(x, unit), model.ints(order)], { axis: 0 });
}
