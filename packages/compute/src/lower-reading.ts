import { type Graph, type GraphNode, type NormGeometry, nodeAt, type Shape } from './graph.ts';
import type { OnnxModel } from './onnx-model.ts';

// Formulations for models that hold their weights. onnxruntime's fastest convolutions work on blocks of 16 channels, and only where weights are constants;
// what stands between two of them decides how often an image changes its layout.

/**
 * Group norm with constant scale and shift: an instance norm over whole groups, then a depthwise 1×1 convolution, which the runtime joins with a ReLU
 * that follows and computes on blocks, so that the image need not change its layout again before the next convolution.
 */
export function lowerGroupNormForReading(
  model: OnnxModel,
  [x, scale, shift]: readonly [string, string, string],
  shape: Shape,
  { groups, epsilon }: NormGeometry,
): string {
  const [n = 0, channels = 0, ...spatial] = shape;
  const size = spatial.reduce((product, dim) => product * dim, channels / groups);
  const rows = n * groups;
  const ones = model.floats(new Float32Array(rows).fill(1));
  const zeros = model.floats(new Float32Array(rows));
  const normed = model.node(
    'InstanceNormalization',
    [model.reshape(x, [1, rows, size]), ones, zeros],
    { epsilon: { float: epsilon } },
  );
  const point = spatial.map(() => 1);
  return model.node(
    'Conv',
    [model.reshape(normed, shape), model.reshape(scale, [channels, 1, ...point]), shift],
    { kernel_shape: point, group: channels },
  );
}

/**
 * The joined images that nothing reads but convolutions which {@link lowerConvOfJoined} takes apart: they need not be written, and a runtime would.
 */
export function unwrittenJoins({ nodes, outputs }: Graph): ReadonlySet<number> {
  const unwritten = new Set([...nodes.keys()].filter((index) => nodes[index]?.op === 'concat'));
  for (const { node } of outputs) unwritten.delete(node);
  for (const node of nodes) {
    for (const [place, input] of (node.inputs as readonly number[]).entries()) {
      if (!(place === 0 && isTakenApart(nodes, node))) unwritten.delete(input);
    }
  }
  return unwritten;
}

/** Whether a node is a convolution over all channels of a joined image. */
export function isTakenApart(nodes: readonly GraphNode[], node: GraphNode): boolean {
  return node.op === 'conv' && node.groups === 1 && nodeAt(nodes, node.inputs[0]).op === 'concat';
}

/** An image that was joined from others along its channels. */
export interface JoinedPart {
  readonly x: string;
  readonly channels: number;
}

/**
 * A convolution of joined images as the sum of the convolutions of each: the joined image is never written, and the runtime adds inside the convolution.
 *
 * @param convolve emits a convolution of `[x, w]`, or of `[x, w, b]`
 */
export function lowerConvOfJoined(
  model: OnnxModel,
  parts: readonly JoinedPart[],
  [w, b]: readonly [string, string | undefined],
  convolve: (inputs: readonly string[]) => string,
): string {
  let from = 0;
  let sum: string | undefined;
  for (const { x, channels } of parts) {
    const to = from + channels;
    const part = model.node('Slice', [w, model.ints([from]), model.ints([to]), model.ints([1])]);
    const isLast = to === parts.reduce((total, each) => total + each.channels, 0);
    const convolved = convolve(isLast && b !== undefined ? [x, part, b] : [x, part]);
    sum = sum === undefined ? convolved : model.node('Add', [sum, convolved]);
    from = to;
  }
  return sum ?? '';
}
