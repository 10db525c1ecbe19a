import { ComputeError } from './error.ts';
import {
  type DiceOver,
  type Graph,
  type GraphNode,
  type GraphOutput,
  imageShape,
  type Operation,
  type Shape,
} from './graph.ts';
import { checkCount, checkEqual, checkShape, fail } from './shape-check.ts';

/** A tensor in a graph under construction. Only the builder that made it accepts it. */
export interface Value {
  readonly node: number;
  readonly name: string;
  readonly shape: Shape;
}

/** Every layer may be named; without a name it takes its parameter's, or operator and number. */
export interface LayerOptions {
  readonly name?: string;
}

/**
 * Builds a {@link Graph} layer by layer. Images are NCHW.
 *
 * Each method checks shapes at once and throws {@link ComputeError} `BAD_GRAPH` with the layer's name in the message.
 * Parameters created first come first in the weight vector.
 */
export class GraphBuilder {
  readonly #nodes: GraphNode[] = [];
  readonly #inputs: number[] = [];
  readonly #parameters: number[] = [];
  readonly #outputs: GraphOutput[] = [];
  readonly #names = new Set<string>(['gradient']);

  /** A tensor given at every run. Names are unique among inputs, parameters and outputs; `gradient` is taken. */
  input(name: string, shape: Shape): Value {
    const value = this.#source('input', name, shape);
    this.#inputs.push(value.node);
    return value;
  }

  /** A trained tensor. A name that starts with `site/` marks it as the site's own (see @consilium/weights). */
  parameter(name: string, shape: Shape): Value {
    const value = this.#source('parameter', name, shape);
    this.#parameters.push(value.node);
    return value;
  }

  /** A tensor of one repeated value. */
  constant(value: number, shape: Shape = []): Value {
    const name = `constant ${value}`;
    checkShape(name, shape);
    if (!Number.isFinite(value)) fail(name, 'the value is not finite');
    return this.#push({ op: 'constant', inputs: [], value }, shape, { name });
  }

  /**
   * Cross-correlation of `x` [N, C, H, W] with `w` [O, C, K, K], and `b` [O] added where given, to
   * [N, O, ⌊(H + 2·padding − K) / stride⌋ + 1, …]. Default stride 1, padding ⌊K / 2⌋ (keeps the size for odd K).
   */
  conv2d(
    x: Value,
    w: Value,
    b?: Value | null,
    options: LayerOptions & { stride?: number; padding?: number } = {},
  ): Value {
    const name = options.name ?? `conv2d ${w.name}`;
    const [n, channels, height, width] = imageShape(this.#own(name, x).shape, name);
    const [out, inner, kernel, kernelWidth] = imageShape(this.#own(name, w).shape, name);
    const { stride = 1, padding = kernel >> 1 } = options;
    if (inner !== channels) {
      fail(name, `the weight takes ${inner} channels, the input has ${channels}`);
    }
    if (kernel !== kernelWidth) fail(name, `the kernel ${kernel}×${kernelWidth} is not square`);
    checkCount(name, 'stride', stride, 1);
    checkCount(name, 'padding', padding, 0);
    if (padding >= kernel) fail(name, `padding ${padding} is not below the kernel's ${kernel}`);
    if (Math.min(height, width) + 2 * padding < kernel) {
      fail(name, `the padded image is smaller than the kernel ${kernel}`);
    }
    if (b) checkEqual(name, 'bias', this.#own(name, b).shape, [out]);
    const resized = (size: number): number =>
      Math.floor((size + 2 * padding - kernel) / stride) + 1;
    return this.#push(
      { op: 'conv2d', inputs: b ? [x.node, w.node, b.node] : [x.node, w.node], stride, padding },
      [n, out, resized(height), resized(width)],
      { name },
    );
  }

  /**
   * Normalises every sample's groups of neighbouring channels to mean 0 and variance 1 (plus `epsilon`, default
   * 1e-5, inside the root), then `· scale + shift`, both [C]. Scale and shift may be any values of the graph,
   * so that a shared one and a site's own can be added first.
   * @see Wu and He 2018, Group Normalization
   */
  groupNorm(
    x: Value,
    scale: Value,
    shift: Value,
    groups: number,
    options: LayerOptions & { epsilon?: number } = {},
  ): Value {
    const name = options.name ?? `groupNorm ${scale.name}`;
    const { epsilon = 1e-5 } = options;
    const [, channels] = imageShape(this.#own(name, x).shape, name);
    checkEqual(name, 'scale', this.#own(name, scale).shape, [channels]);
    checkEqual(name, 'shift', this.#own(name, shift).shape, [channels]);
    checkCount(name, 'groups', groups, 1);
    if (channels % groups !== 0) {
      fail(name, `${channels} channels do not divide into ${groups} groups`);
    }
    if (!(epsilon > 0 && epsilon < Infinity)) fail(name, `epsilon ${epsilon} is not positive`);
    const inputs = [x.node, scale.node, shift.node] as const;
    return this.#push({ op: 'groupNorm', inputs, groups, epsilon }, x.shape, { name });
  }

  /** max(x, 0); its gradient at 0 is 0. */
  relu(x: Value, options: LayerOptions = {}): Value {
    return this.#unary('relu', x, options);
  }

  /** x · sigmoid(x). */
  silu(x: Value, options: LayerOptions = {}): Value {
    return this.#unary('silu', x, options);
  }

  /** 1 / (1 + exp(−x)). */
  sigmoid(x: Value, options: LayerOptions = {}): Value {
    return this.#unary('sigmoid', x, options);
  }

  /** The largest of every `size`×`size` square, which tile the image. Among equals, each gets the same share of the gradient. */
  maxPool2d(x: Value, size = 2, options: LayerOptions = {}): Value {
    return this.#pool('maxPool2d', x, size, options);
  }

  /** The mean of every `size`×`size` square, which tile the image. */
  avgPool2d(x: Value, size = 2, options: LayerOptions = {}): Value {
    return this.#pool('avgPool2d', x, size, options);
  }

  /** Repeats every pixel `factor`×`factor` times (nearest neighbour). */
  upsample2d(x: Value, factor = 2, options: LayerOptions = {}): Value {
    const name = options.name ?? this.#nextName('upsample2d');
    const [n, c, h, w] = imageShape(this.#own(name, x).shape, name);
    checkCount(name, 'factor', factor, 1);
    return this.#push(
      { op: 'upsample2d', inputs: [x.node], factor },
      [n, c, h * factor, w * factor],
      { name },
    );
  }

  /**
   * Twice the height and width by linear interpolation between pixel centres, edges repeated (what other libraries call
   * bilinear with `align_corners` off).
   */
  upsampleBilinear2d(x: Value, options: LayerOptions = {}): Value {
    const name = options.name ?? this.#nextName('upsampleBilinear2d');
    const [n, c, h, w] = imageShape(this.#own(name, x).shape, name);
    const inputs = [x.node] as const;
    return this.#push({ op: 'upsampleBilinear2d', inputs }, [n, c, 2 * h, 2 * w], { name });
  }

  /** Joins images of equal size along their channels, in the order given. */
  concat(values: readonly Value[], options: LayerOptions = {}): Value {
    const name = options.name ?? this.#nextName('concat');
    const [first] = values;
    if (first === undefined) return fail(name, 'there is nothing to join');
    const [n, , h, w] = imageShape(first.shape, name);
    let channels = 0;
    for (const value of values) {
      const c = imageShape(this.#own(name, value).shape, name)[1];
      checkEqual(name, value.name, value.shape, [n, c, h, w]);
      channels += c;
    }
    const inputs = values.map(({ node }) => node);
    return this.#push({ op: 'concat', inputs }, [n, channels, h, w], { name });
  }

  /** The channels from `from` up to but without `to`. */
  sliceChannels(x: Value, from: number, to: number, options: LayerOptions = {}): Value {
    const name = options.name ?? this.#nextName('sliceChannels');
    const [n, c, h, w] = imageShape(this.#own(name, x).shape, name);
    checkCount(name, 'from', from, 0);
    checkCount(name, 'to', to, from + 1);
    if (to > c) fail(name, `channels up to ${to} of ${c}`);
    return this.#push({ op: 'sliceChannels', inputs: [x.node], from, to }, [n, to - from, h, w], {
      name,
    });
  }

  /** a + b, of equal shapes. */
  add(a: Value, b: Value, options: LayerOptions = {}): Value {
    return this.#binary('add', a, b, options);
  }

  /** a · b value by value, of equal shapes. */
  mul(a: Value, b: Value, options: LayerOptions = {}): Value {
    return this.#binary('mul', a, b, options);
  }

  /** x · factor, a fixed number. */
  scale(x: Value, factor: number, options: LayerOptions = {}): Value {
    const name = options.name ?? this.#nextName('scale');
    this.#own(name, x);
    if (!Number.isFinite(factor)) fail(name, `the factor is ${factor}`);
    return this.#push({ op: 'scale', inputs: [x.node], factor }, x.shape, { name });
  }

  /** The sum of all values, a scalar. */
  sum(x: Value, options: LayerOptions = {}): Value {
    const name = options.name ?? this.#nextName('sum');
    return this.#push({ op: 'sum', inputs: [this.#own(name, x).node] }, [], { name });
  }

  /** The mean of all values, a scalar. */
  mean(x: Value, options: LayerOptions = {}): Value {
    const name = options.name ?? this.#nextName('mean');
    return this.#push({ op: 'mean', inputs: [this.#own(name, x).node] }, [], { name });
  }

  /**
   * Binary cross-entropy of sigmoid(logits) against `target` in [0, 1], times `weight` where given, then the mean
   * over all values (the weights do not enter the divisor). All of one shape. Stable for any finite logit.
   */
  bceWithLogits(
    logits: Value,
    target: Value,
    weight?: Value | null,
    options: LayerOptions = {},
  ): Value {
    const name = options.name ?? this.#nextName('bceWithLogits');
    this.#own(name, logits);
    checkEqual(name, 'target', this.#own(name, target).shape, logits.shape);
    if (weight) checkEqual(name, 'weight', this.#own(name, weight).shape, logits.shape);
    const inputs = weight
      ? ([logits.node, target.node, weight.node] as const)
      : ([logits.node, target.node] as const);
    return this.#push({ op: 'bceWithLogits', inputs }, [], { name });
  }

  /**
   * 1 − (2·Σpt + smooth) / (Σp + Σt + smooth) with p = sigmoid(logits) and t = `target` in [0, 1], both
   * [N, C, H, W]; summed per channel over the whole batch (`over: 'batch'`, the default) or per channel and sample,
   * then the mean of those losses. In [0, 1]. `smooth` (default 1) keeps an empty target defined.
   * @see Milletari et al. 2016, V-Net
   */
  softDiceLoss(
    logits: Value,
    target: Value,
    options: LayerOptions & { over?: DiceOver; smooth?: number } = {},
  ): Value {
    const name = options.name ?? this.#nextName('softDiceLoss');
    const { over = 'batch', smooth = 1 } = options;
    imageShape(this.#own(name, logits).shape, name);
    checkEqual(name, 'target', this.#own(name, target).shape, logits.shape);
    if (!(smooth > 0 && smooth < Infinity)) fail(name, `smooth ${smooth} is not positive`);
    const inputs = [logits.node, target.node] as const;
    return this.#push({ op: 'softDiceLoss', inputs, over, smooth }, [], { name });
  }

  /** Names a result that every run returns. */
  output(name: string, x: Value): void {
    this.#own(name, x);
    this.#claim(name);
    this.#outputs.push({ name, node: x.node });
  }

  /** The graph so far, as data of its own. @throws {ComputeError} `BAD_GRAPH` without an output. */
  build(): Graph {
    if (this.#outputs.length === 0) {
      throw new ComputeError('BAD_GRAPH', 'the graph has no output');
    }
    return {
      nodes: [...this.#nodes],
      inputs: [...this.#inputs],
      parameters: [...this.#parameters],
      outputs: [...this.#outputs],
    };
  }

  #source(op: 'input' | 'parameter', name: string, shape: Shape): Value {
    this.#claim(name);
    checkShape(`${op} ${name}`, shape);
    return this.#push({ op, inputs: [] }, shape, { name });
  }

  #unary(op: 'relu' | 'silu' | 'sigmoid', x: Value, options: LayerOptions): Value {
    const name = options.name ?? this.#nextName(op);
    return this.#push({ op, inputs: [this.#own(name, x).node] }, x.shape, { name });
  }

  #binary(op: 'add' | 'mul', a: Value, b: Value, options: LayerOptions): Value {
    const name = options.name ?? this.#nextName(op);
    checkEqual(name, b.name, this.#own(name, b).shape, this.#own(name, a).shape);
    return this.#push({ op, inputs: [a.node, b.node] }, a.shape, { name });
  }

  #pool(op: 'maxPool2d' | 'avgPool2d', x: Value, size: number, options: LayerOptions): Value {
    const name = options.name ?? this.#nextName(op);
    const [n, c, h, w] = imageShape(this.#own(name, x).shape, name);
    checkCount(name, 'size', size, 1);
    if (h % size !== 0 || w % size !== 0) {
      fail(name, `squares of ${size} do not tile an image of ${h}×${w}`);
    }
    return this.#push({ op, inputs: [x.node], size }, [n, c, h / size, w / size], { name });
  }

  #nextName(op: string): string {
    return `${op} #${this.#nodes.length}`;
  }

  #claim(name: string): void {
    if (!/^[A-Za-z0-9_][A-Za-z0-9_./-]*$/.test(name)) {
      throw new ComputeError('BAD_GRAPH', `${JSON.stringify(name)}: names are of A-Za-z0-9_./-`);
    }
    if (this.#names.has(name)) fail(name, 'the name is taken');
    this.#names.add(name);
  }

  #own(layer: string, value: Value): Value {
    if (this.#nodes[value.node]?.shape !== value.shape) {
      fail(layer, `${value.name} belongs to another graph`);
    }
    return value;
  }

  #push(operation: Operation, shape: Shape, { name }: { name: string }): Value {
    const owned = Object.freeze([...shape]);
    this.#nodes.push({ ...operation, name, shape: owned });
    return { node: this.#nodes.length - 1, name, shape: owned };
  }
}

/** Starts an empty graph. */
export function createGraph(): GraphBuilder {
  return new GraphBuilder();
}
