import type { BlockedValues } from './blocked-values.ts';
import type { Fusions } from './find-fusions.ts';
import { type Graph, type GraphNode, gridShape, nodeAt, type Shape } from './graph.ts';
import { planesOf } from './image-planes.ts';
import { lowerBlockedConv, lowerBlockedConvTranspose } from './lower-blocked-conv.ts';
import { lowerBlockedEnlargedConv } from './lower-blocked-enlarged.ts';
import {
  lowerBlockedChannelSum,
  lowerBlockedGroupNorm,
  lowerBlockedGroupNormInputGradient,
  lowerBlockedGroupNormScaleGradient,
} from './lower-blocked-norm.ts';
import {
  lowerBlockedBilinear,
  lowerBlockedMaxPoolGradient,
  lowerBlockedPool,
  lowerBlockedUpsample,
} from './lower-blocked-pool.ts';
import { lowerBlockedConvWeightGradient } from './lower-blocked-weight-gradient.ts';
import { isDeepGeometry, lowerDeepConv, lowerDeepConvTranspose } from './lower-deep-conv.ts';
import { lowerDeepConvWeightGradient } from './lower-deep-weight-gradient.ts';
import type { OnnxModel } from './onnx-model.ts';

type Convolution = Extract<GraphNode, { op: 'conv' | 'convTranspose' }>;
type WeightGradient = Extract<GraphNode, { op: 'convWeightGradient' }>;

function isConvolution(node: GraphNode): node is Convolution {
  return node.op === 'conv' || node.op === 'convTranspose';
}

/**
 * Lowers nodes to onnxruntime's operators on blocked images where that is possible.
 *
 * Convolutions make their result blocked; everything else stays in the layout that it gets. What returns false is left to
 * the standard lowering, which reads plain values.
 */
export class BlockedLowering {
  readonly #model: OnnxModel;
  readonly #graph: Graph;
  readonly #values: BlockedValues;
  readonly #fusions: Fusions;
  readonly #standard: (node: GraphNode, at: (index: number) => string) => string;
  /** Convolutions that are executed with the `add` that reads them. */
  readonly #waiting = new Set<number>();
  /** Enlarged images that are never made: for the convolution that reads one, the small image is enough. */
  readonly #unmade = new Set<number>();
  /** Results that have gone through their `relu` already. */
  readonly #rectified = new Set<number>();

  constructor(
    components: { model: OnnxModel; graph: Graph; values: BlockedValues; fusions: Fusions },
    standard: (node: GraphNode, at: (index: number) => string) => string,
  ) {
    this.#model = components.model;
    this.#graph = components.graph;
    this.#values = components.values;
    this.#fusions = components.fusions;
    this.#standard = standard;
  }

  /** Lowers the node at `index` and keeps its result; false, and nothing is done, where blocks do not help. */
  lower(index: number): boolean {
    const node = nodeAt(this.#graph.nodes, index);
    switch (node.op) {
      case 'conv':
      case 'convTranspose':
        return this.#convolution(index, node);
      case 'convWeightGradient':
        return this.#weightGradient(index, node);
      case 'add':
        return this.#sum(index) || this.#perValue(index, node);
      case 'relu':
        return this.#relu(index, node.inputs[0]) || this.#perValue(index, node);
      case 'mul':
      case 'scale':
      case 'sigmoid':
      case 'silu':
      case 'reluGradient':
      case 'sigmoidGradient':
      case 'siluGradient':
      case 'concat':
      case 'leakyRelu':
      case 'leakyReluGradient':
      case 'slice':
        return this.#perValue(index, node);
      case 'constant':
        this.#values.setUniform(index, this.#model.float(node.value), node.shape);
        return true;
      case 'fill':
        this.#values.setUniform(index, this.#values.plain(node.inputs[0]), node.shape);
        return true;
      case 'sum':
      case 'mean': {
        if (!this.#isWhole(node.inputs[0])) return false;
        this.#values.setPlain(index, this.#standard(node, this.#blocked));
        return true;
      }
      default:
        return this.#image(index, node);
    }
  }

  readonly #shape = (index: number): Shape => nodeAt(this.#graph.nodes, index).shape;
  readonly #blocked = (index: number): string => this.#values.blocked(index, this.#shape(index));

  /** Whether the result is blocked, without the zeros that fill the last block of a convolution to fewer channels. */
  #isWhole(index: number): boolean {
    return this.#values.isBlocked(index) && this.#values.fits(this.#shape(index));
  }

  /** Operators that treat all values, or all whole blocks of channels, alike. */
  #perValue(index: number, node: GraphNode): boolean {
    const inputs: readonly (number | undefined)[] = node.inputs;
    const given = inputs.filter((input) => input !== undefined);
    const fits = [index, ...given].every((input) => this.#values.fits(this.#shape(input)));
    if (!fits || !given.some((input) => this.#values.isBlocked(input))) return false;
    if (node.op === 'slice' && (node.axis !== 1 || node.from % this.#values.block !== 0))
      return false;
    // A scalar is not spread over the image first.
    const spreads = node.op === 'add' || node.op === 'mul';
    const at = (input: number): string =>
      (spreads ? this.#values.uniform(input) : undefined) ?? this.#blocked(input);
    this.#values.setBlocked(index, this.#standard(node, at), node.shape);
    return true;
  }

  #relu(index: number, x: number): boolean {
    if (!this.#rectified.has(x)) return false;
    this.#values.setBlocked(index, this.#blocked(x), this.#shape(x));
    return true;
  }

  #sum(index: number): boolean {
    const sum = this.#fusions.sums.get(index);
    if (sum === undefined || !this.#waiting.has(sum.convolution)) return false;
    const convolution = nodeAt(this.#graph.nodes, sum.convolution);
    if (!isConvolution(convolution)) return false;
    const name = this.#emitConvolution(convolution, { sum: this.#blocked(sum.other) });
    this.#values.setBlocked(index, name, convolution.shape);
    return true;
  }

  #convolution(index: number, node: Convolution): boolean {
    if (this.#enlarged(index, node)) return true;
    const [x, w] = node.inputs;
    if (!this.#hasKernel(node, this.#shape(w))) return false;
    const { block } = this.#values;
    const read = gridShape(this.#shape(x), node.name)[1];
    if (read % block !== 0 && read > block) return false;
    if (node.op === 'convTranspose' && node.stride !== 1) return false;
    if (!this.#values.fits(node.shape)) {
      // Filling the last block with zeros pays only where the image is blocked anyway.
      if (node.op !== 'conv' || !this.#values.isBlocked(x)) return false;
      this.#values.setBlocked(index, this.#emitConvolution(node), node.shape);
      return true;
    }
    if (this.#fusions.added.has(index)) {
      this.#waiting.add(index);
      return true;
    }
    const relu = this.#rectify(index);
    this.#values.setBlocked(index, this.#emitConvolution(node, { relu }), node.shape);
    return true;
  }

  #enlarged(index: number, node: Convolution): boolean {
    const large = this.#fusions.enlarged.get(index);
    if (large === undefined || !this.#unmade.has(large)) return false;
    const [, w, b] = node.inputs;
    const [small] = nodeAt(this.#graph.nodes, large).inputs;
    if (small === undefined) return false;
    const bias = b === undefined ? undefined : this.#values.plain(b);
    const inputs = [this.#blocked(small), this.#values.plain(w), bias] as const;
    const shapes = { x: this.#shape(small), w: this.#shape(w), block: this.#values.block };
    const name = lowerBlockedEnlargedConv(this.#model, inputs, shapes);
    this.#values.setBlocked(index, name, node.shape);
    return true;
  }

  /** Leaves an enlarged image out where its one reader, a convolution to whole blocks, can do without. */
  #leaveOut(index: number, x: number): boolean {
    const reader = [...this.#fusions.enlarged].find(([, large]) => large === index)?.[0];
    if (reader === undefined || !this.#values.isBlocked(x)) return false;
    if (!this.#values.fits(this.#shape(reader))) return false;
    this.#unmade.add(index);
    return true;
  }

  #emitConvolution(node: Convolution, extras: { sum?: string; relu?: boolean } = {}): string {
    const { block } = this.#values;
    const [x, w] = node.inputs;
    const inputs = [this.#anyLayout(x), this.#values.plain(w)] as const;
    const shapes = { w: this.#shape(w), planes: planesOf(node.shape, node.name), block };
    const isDeep = node.shape.length === 5;
    if (node.op === 'convTranspose') {
      if (isDeep) return lowerDeepConvTranspose(this.#model, inputs, shapes, node, extras.sum);
      return lowerBlockedConvTranspose(this.#model, inputs, shapes, node, extras.sum);
    }
    const b = node.inputs[2];
    const bias = b === undefined ? undefined : this.#values.plain(b);
    const lowerConv = isDeep ? lowerDeepConv : lowerBlockedConv;
    return lowerConv(this.#model, inputs, shapes, node, { bias, ...extras });
  }

  /** Whether the runtime has, on blocked images, what the node needs for kernels of shape `w`. */
  #hasKernel(node: Convolution | WeightGradient, w: Shape): boolean {
    const [, , kernel] = gridShape(w, node.name);
    if (kernel.length === 2) return node.dilation === 1 && node.groups === 1;
    const [size = 1] = kernel;
    // See lowerDeepConv.
    const biased = node.op === 'conv' && node.inputs[2] !== undefined;
    return isDeepGeometry(node) && !(biased && 2 * node.padding >= size);
  }

  /** Blocked, or plain where the channels fill no block; plane by plane. */
  #anyLayout(index: number): string {
    const shape = this.#shape(index);
    return this.#values.fits(shape) ? this.#blocked(index) : this.#values.plainPlanes(index, shape);
  }

  /** Whether the result at `index` is to go through its `relu` at once; the `relu` then has nothing left to do. */
  #rectify(index: number): boolean {
    if (!this.#fusions.rectified.has(index)) return false;
    this.#rectified.add(index);
    return true;
  }

  #weightGradient(index: number, node: WeightGradient): boolean {
    if (node.examples !== null || !this.#hasKernel(node, node.shape)) return false;
    const { block } = this.#values;
    const [x, dy] = node.inputs;
    const usable = [x, dy].every((input) => {
      const [, channels = 0] = this.#shape(input);
      return channels % block === 0 || channels < block;
    });
    if (!usable || ![x, dy].some((input) => this.#values.isBlocked(input))) return false;
    const image = (input: number): { name: string; shape: Shape } => ({
      name: this.#anyLayout(input),
      shape: this.#shape(input),
    });
    const shapes = { w: node.shape, block };
    const lowerGradient =
      node.shape.length === 5 ? lowerDeepConvWeightGradient : lowerBlockedConvWeightGradient;
    const name = lowerGradient(this.#model, image(x), image(dy), shapes, node);
    if (name === undefined) return false;
    this.#values.setPlain(index, name);
    return true;
  }

  /** Operators with a lowering of their own for images that are blocked already. */
  #image(index: number, node: GraphNode): boolean {
    const inputs: readonly (number | undefined)[] = node.inputs;
    if (!inputs.some((input) => input !== undefined && this.#isWhole(input))) return false;
    const model = this.#model;
    const values = this.#values;
    const block = values.block;
    const at = this.#blocked;
    const finish = (name: string): true => {
      values.setBlocked(index, name, node.shape);
      return true;
    };
    const finishPlain = (name: string): true => {
      values.setPlain(index, name);
      return true;
    };
    switch (node.op) {
      case 'groupNorm': {
        const [x, scale, shift] = node.inputs;
        const relu = this.#rectify(index);
        const inputs = [at(x), values.plain(scale), values.plain(shift)] as const;
        return finish(lowerBlockedGroupNorm(model, inputs, { x: node.shape, block }, node, relu));
      }
      case 'groupNormInputGradient': {
        const [x, scale, dy] = node.inputs;
        const inputs = [at(x), values.plain(scale), at(dy)] as const;
        const shapes = { x: node.shape, block };
        return finish(lowerBlockedGroupNormInputGradient(model, inputs, shapes, node));
      }
      case 'groupNormScaleGradient': {
        const [x, dy] = node.inputs;
        const shapes = { x: this.#shape(x), block };
        return finishPlain(
          lowerBlockedGroupNormScaleGradient(model, [at(x), at(dy)], shapes, node),
        );
      }
      case 'channelSum': {
        const [x] = node.inputs;
        return finishPlain(
          lowerBlockedChannelSum(model, at(x), { x: this.#shape(x), block }, node),
        );
      }
      case 'maxPool':
      case 'avgPool': {
        const [x] = node.inputs;
        const op = node.op === 'maxPool' ? 'MaxPool' : 'AveragePool';
        return finish(
          lowerBlockedPool(model, op, at(x), { shape: this.#shape(x), block }, node.size),
        );
      }
      case 'maxPoolGradient': {
        const [x, dy] = node.inputs;
        const blocked = { shape: node.shape, block };
        return finish(lowerBlockedMaxPoolGradient(model, [at(x), at(dy)], blocked, node.size));
      }
      case 'upsample': {
        const [x] = node.inputs;
        if (this.#leaveOut(index, x)) return true;
        const blocked = { shape: this.#shape(x), block };
        return finish(lowerBlockedUpsample(model, at(x), blocked, node.factor));
      }
      case 'upsampleBilinear2d':
        return finish(lowerBlockedBilinear(model, at(node.inputs[0])));
      default:
        return false;
    }
  }
}
