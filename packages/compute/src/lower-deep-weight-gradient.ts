import { blockedDomain } from './blocked-values.ts';
import { type ConvGeometry, gridShape, type Shape } from './graph.ts';
import { type ImagePlanes, planesOf } from './image-planes.ts';
import { blockedConv } from './lower-blocked-conv.ts';
import { type BlockedImage, padImage } from './lower-blocked-weight-gradient.ts';
import type { OnnxModel } from './onnx-model.ts';

// The kernel images of a group are read once for every six places of the result, so as many of them as the runtime takes at once should
// stay in the second-level cache: of so much for each channel in a block, 1 MiB where the processor has AVX-512.
const cachedBytesPerLane = 64 * 1024;
const blocksAtOnce = 4;

/** The product of an image that is unfolded and one that plays the kernel, plane by plane. */
interface Pair {
  readonly unfolded: BlockedImage;
  readonly kernel: BlockedImage;
  /** Taps of the weight along each axis. */
  readonly size: number;
  /** Zeros around the unfolded image's planes. */
  readonly padding: number;
  /** The kernel's plane for the first depth tap is so far from the unfolded image's; each further tap is `step` further. */
  readonly first: number;
  readonly step: 1 | -1;
  readonly block: number;
}

/**
 * The gradient by the weight of a convolution over three axes at stride 1, from blocked images: as `lowerBlockedConvWeightGradient`,
 * where each plane of one image is a group, and the planes of the other at all depth taps are that group's kernels.
 *
 * Answers undefined where neither image has whole blocks of channels.
 */
export function lowerDeepConvWeightGradient(
  model: OnnxModel,
  x: BlockedImage,
  dy: BlockedImage,
  shapes: { w: Shape; block: number },
  { padding }: Pick<ConvGeometry, 'padding'>,
): string | undefined {
  const { block } = shapes;
  const [out, channels, [size = 1]] = gridShape(shapes.w, 'convWeightGradient');
  const places = size * size;
  // The kernel image is copied once for every depth tap: the one with fewer channels, if they fill blocks.
  if (out % block === 0 && (out <= channels || channels % block !== 0)) {
    const pair = {
      unfolded: x,
      kernel: dy,
      size,
      padding,
      first: padding,
      step: -1,
      block,
    } as const;
    const { product, lanes } = deepProduct(model, pair); // [K, C / lanes, O / block, places, lanes, block]
    const parts = [size, channels / lanes, out / block, places, lanes, block];
    const ordered = model.node('Transpose', [model.reshape(product, parts)], {
      perm: [2, 1, 4, 0, 3, 5],
    });
    const image = model.reshape(ordered, [1, out, channels * size * places, 1]);
    return reorderOutput(model, image, out, shapes.w);
  }
  if (channels % block !== 0) return undefined;
  const { product, lanes } = deepProduct(model, {
    ...{
      unfolded: dy,
      kernel: x,
      size,
      padding: size - 1 - padding,
      first: -padding,
      step: 1,
      block,
    },
  }); // [K, O / lanes, C / block, places backwards, lanes, block]
  const parts = [size, out / lanes, channels / block, places, lanes, block];
  const backwards = model.ints(Array.from({ length: places }, (_, place) => places - 1 - place));
  const turned = model.node('Gather', [model.reshape(product, parts), backwards], { axis: 3 });
  const ordered = model.node('Transpose', [turned], { perm: [1, 4, 2, 0, 3, 5] });
  const image = model.reshape(ordered, [out, channels, size * places, 1]);
  return reorderOutput(model, image, channels, shapes.w);
}

function reorderOutput(model: OnnxModel, x: string, channels: number, w: Shape): string {
  return model.reshape(model.node(`${blockedDomain}.ReorderOutput`, [x], { channels }), w);
}

/** Σ over samples, planes and pixels, for every depth tap: [K, B / lanes, A / block, taps · taps, lanes, block], flat. */
function deepProduct(model: OnnxModel, pair: Pair): { product: string; lanes: number } {
  const { size, block } = pair;
  const unfolded = planesOf(pair.unfolded.shape, 'convWeightGradient');
  const kernel = planesOf(pair.kernel.shape, 'convWeightGradient');
  const lanes = unfolded.channels % block === 0 ? block : unfolded.channels;
  const blocks = unfolded.channels / lanes;
  const strips = stripsOf(kernel, size, block);
  const padded = padUnfolded(model, pair, unfolded, lanes, strips);
  const groups = unfolded.samples * unfolded.depth * strips;
  const products = chunksOf(groups, block).map(([from, to]) => {
    const range = { from, to, strips };
    const input = gatherUnfolded(model, padded, { ...pair, ...range });
    const filter = gatherKernels(model, pair, kernel, unfolded.depth, range);
    const pads = strips === 1 ? pair.padding : 0;
    const product = blockedConv(model, [input, filter], {
      kernel_shape: [kernel.height / strips, kernel.width],
      dilations: [1, lanes],
      strides: [1, 1],
      pads: [pads, 0, pads, 0],
      group: to - from,
    });
    return model.reshape(product, [blocks, to - from, -1]);
  });
  const [only = ''] = products;
  const joined = products.length === 1 ? only : model.node('Concat', products, { axis: 1 });
  const perTap = kernel.channels * size * size * lanes;
  const groupShape = [unfolded.samples, unfolded.depth, strips];
  const parts = model.reshape(joined, [blocks, ...groupShape, size, perTap]);
  const taps = Array.from({ length: size }, (_, tap) => {
    const offset = pair.first + tap * pair.step;
    const [from, to] = [Math.max(0, -offset), Math.min(unfolded.depth, kernel.depth - offset)];
    if (from >= to) return model.node('Expand', [model.float(0), model.ints([blocks, perTap])]);
    const bounds = [model.ints([from, tap]), model.ints([to, tap + 1]), model.ints([2, 4])];
    const valid = model.reshape(model.node('Slice', [parts, ...bounds]), [
      blocks,
      unfolded.samples * (to - from) * strips,
      perTap,
    ]);
    return model.node('ReduceSum', [valid, model.ints([1])], { keepdims: 0 });
  });
  const [single = ''] = taps;
  const product = taps.length === 1 ? single : model.node('Concat', taps, { axis: 0 });
  return { product, lanes };
}

/** The least number of strips of rows that divides the kernel image's rows, and that makes kernels which stay in the cache. */
function stripsOf({ channels, height, width }: ImagePlanes, size: number, block: number): number {
  const atOnce = Math.min(channels * size, blocksAtOnce * block);
  const counts = Array.from({ length: height }, (_, i) => i + 1).filter((n) => height % n === 0);
  const fits = (strips: number): boolean =>
    (4 * atOnce * height * width) / strips <= cachedBytesPerLane * block;
  return counts.find(fits) ?? height;
}

/** Ranges of groups that the runtime accepts: whole blocks of them, and what is left. */
function chunksOf(groups: number, block: number): (readonly [from: number, to: number])[] {
  const whole = groups - (groups % block);
  const ranges = [[0, whole] as const, [whole, groups] as const];
  return ranges.filter(([from, to]) => from < to);
}

interface Unfolded {
  readonly name: string;
  /** One for each plane of each sample. */
  readonly images: number;
  readonly blocks: number;
  readonly rows: number;
  readonly rowSize: number;
}

/** The unfolded image, channels innermost, with zeros beside its rows; above and below only where strips must have them. */
function padUnfolded(
  model: OnnxModel,
  { unfolded, padding, block }: Pair,
  planes: ImagePlanes,
  lanes: number,
  strips: number,
): Unfolded {
  const { samples, depth, channels, height, width } = planes;
  const images = samples * depth;
  const flat = [images, channels, height, width];
  const innermost =
    lanes === block
      ? unfolded.name
      : model.node('Transpose', [unfolded.name], { perm: [0, 2, 3, 1] });
  const above = strips === 1 ? 0 : padding;
  const name = padImage(model, innermost, flat, lanes, {
    pads: [above, padding, above, padding],
    skip: padding === 0,
    block,
  });
  const rowSize = (width + 2 * padding) * lanes;
  return { name, images, blocks: channels / lanes, rows: height + 2 * above, rowSize };
}

/** Groups `from` to `to` of the unfolded image, [blocks, groups, rows, rowSize]. */
function gatherUnfolded(
  model: OnnxModel,
  { name, images, blocks, rows, rowSize }: Unfolded,
  { from, to, strips, size, kernel }: Pair & GroupRange,
): string {
  const stripRows = planesOf(kernel.shape, 'convWeightGradient').height / strips;
  const haloRows = strips === 1 ? rows : stripRows - 1 + size;
  const shape = [blocks, to - from, haloRows, rowSize];
  const whole = strips === 1 && to - from === images && (blocks === 1 || images === 1);
  if (whole) return model.reshape(name, shape);
  const order: number[] = [];
  for (let block = 0; block < blocks; block++) {
    for (let group = from; group < to; group++) {
      const strip = group % strips;
      const image = ((group - strip) / strips) * blocks + block;
      if (strips === 1) order.push(image);
      else
        for (let row = 0; row < haloRows; row++) order.push(image * rows + strip * stripRows + row);
    }
  }
  const unit = strips === 1 ? [images * blocks, rows * rowSize] : [images * blocks * rows, rowSize];
  const gathered = model.node('Gather', [model.reshape(name, unit), model.ints(order)], {
    axis: 0,
  });
  return model.reshape(gathered, shape);
}

interface GroupRange {
  readonly from: number;
  readonly to: number;
  readonly strips: number;
}

/** The kernels of groups `from` to `to`, each the planes at all taps; for a tap outside the image any plane, which is not summed. */
function gatherKernels(
  model: OnnxModel,
  { kernel, size, first, step, block }: Pair,
  { samples, depth, channels, height, width }: ImagePlanes,
  unfoldedDepth: number,
  { from, to, strips }: GroupRange,
): string {
  const blocks = channels / block;
  const order: number[] = [];
  for (let group = from; group < to; group++) {
    const strip = group % strips;
    const image = (group - strip) / strips;
    const at = image % unfoldedDepth;
    const sample = (image - at) / unfoldedDepth;
    for (let tap = 0; tap < size; tap++) {
      const plane = Math.min(Math.max(at + first + tap * step, 0), depth - 1);
      for (let place = 0; place < blocks; place++) {
        order.push(((sample * depth + plane) * blocks + place) * strips + strip);
      }
    }
  }
  const rows = height / strips;
  const unit = [samples * depth * blocks * strips, rows * width * block];
  const source = model.reshape(kernel.name, unit);
  const isCopy = order.length === unit[0] && order.every((from, to) => from === to);
  const gathered = isCopy ? source : model.node('Gather', [source, model.ints(order)], { axis: 0 });
  return model.reshape(gathered, [(to - from) * size * channels, 1, rows, width]);
}
