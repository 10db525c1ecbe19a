import { type DiceOver, type FocalGeometry, gridShape, type Shape } from './graph.ts';
import type { LayerOptions, Value } from './graph-assembly.ts';
import { ImageLayers } from './image-layers.ts';
import { checkEqual, checkGrid, checkPositive, fail } from './shape-check.ts';

/**
 * Builds a {@link Graph} layer by layer. Images are [samples, channels, height, width], or with depth before height.
 *
 * Each method checks shapes at once and throws {@link ComputeError} `BAD_GRAPH` with the layer's name in the message.
 * Parameters created first come first in the weight vector. No layer looks from one sample of a batch at another.
 */
export class GraphBuilder extends ImageLayers {
  /** max(x, 0); its gradient at 0 is 0. */
  relu(x: Value, options: LayerOptions = {}): Value {
    return this.#unary('relu', x, options);
  }

  /** x where positive, `slope`·x elsewhere, 0 < slope < 1; its gradient at 0 is the slope. */
  leakyRelu(x: Value, slope = 0.01, options: LayerOptions = {}): Value {
    const name = options.name ?? this.nextName('leakyRelu');
    if (!(slope > 0 && slope < 1)) fail(name, `the slope ${slope} is not within 0 and 1`);
    return this.push({ op: 'leakyRelu', inputs: [this.own(name, x).node], slope }, x.shape, name);
  }

  /** x · sigmoid(x). */
  silu(x: Value, options: LayerOptions = {}): Value {
    return this.#unary('silu', x, options);
  }

  /** 1 / (1 + exp(−x)). */
  sigmoid(x: Value, options: LayerOptions = {}): Value {
    return this.#unary('sigmoid', x, options);
  }

  /** exp(x) over its sum along the channels, for every pixel, or every row of features. */
  softmax(x: Value, options: LayerOptions = {}): Value {
    const name = options.name ?? this.nextName('softmax');
    gridShape(this.own(name, x).shape, name);
    return this.#unary('softmax', x, { ...options, name });
  }

  /**
   * Sets each value to 0 with probability `rate`, in [0, 1), and divides the others by 1 − rate. Which ones is a pure function of the
   * layer's place in the graph and of `seed`, a scalar input that holds a whole number below 2^24: the same on every engine. For inference
   * the layer is left out of the graph.
   * @see Srivastava et al. 2014, Dropout
   */
  dropout(x: Value, seed: Value, rate: number, options: LayerOptions = {}): Value {
    const name = options.name ?? this.nextName('dropout');
    checkEqual(name, 'seed', this.own(name, seed).shape, []);
    this.checkInput(name, 'the seed', seed);
    if (!(rate >= 0 && rate < 1)) fail(name, `the rate ${rate} is not in [0, 1)`);
    const inputs = [this.own(name, x).node, seed.node] as const;
    return this.push({ op: 'dropout', inputs, rate, stream: this.size }, x.shape, name);
  }

  /** `x` [N, F] times `w` [O, F] transposed, and `b` [O] added where given: [N, O]. */
  dense(x: Value, w: Value, b?: Value | null, options: LayerOptions = {}): Value {
    const name = options.name ?? `dense ${w.name}`;
    const [n, features] = this.#matrix(name, x, 'the input');
    const [out, inner] = this.#matrix(name, w, 'the weight');
    if (inner !== features) {
      fail(name, `the weight takes ${inner} features, the input has ${features}`);
    }
    if (b) checkEqual(name, 'bias', this.own(name, b).shape, [out]);
    const inputs = b ? ([x.node, w.node, b.node] as const) : ([x.node, w.node] as const);
    return this.push({ op: 'dense', inputs }, [n, out], name);
  }

  /** Every sample's values as one row, [N, …]: the form that {@link dense} takes. */
  flatten(x: Value, options: LayerOptions = {}): Value {
    const name = options.name ?? this.nextName('flatten');
    const [n, c, spatial] = gridShape(this.own(name, x).shape, name);
    const features = spatial.reduce((product, size) => product * size, c);
    return this.push({ op: 'reshape', inputs: [x.node] }, [n, features], name);
  }

  /** a + b value by value, of equal shapes. */
  add(a: Value, b: Value, options: LayerOptions = {}): Value {
    return this.#binary('add', a, b, options);
  }

  /** a · b value by value, of equal shapes. */
  mul(a: Value, b: Value, options: LayerOptions = {}): Value {
    return this.#binary('mul', a, b, options);
  }

  /** x · factor, a fixed number. */
  scale(x: Value, factor: number, options: LayerOptions = {}): Value {
    const name = options.name ?? this.nextName('scale');
    if (!Number.isFinite(factor)) fail(name, `the factor is ${factor}`);
    return this.push({ op: 'scale', inputs: [this.own(name, x).node], factor }, x.shape, name);
  }

  /** The sum of all values, a scalar. */
  sum(x: Value, options: LayerOptions = {}): Value {
    const name = options.name ?? this.nextName('sum');
    return this.push({ op: 'sum', inputs: [this.own(name, x).node] }, [], name);
  }

  /** The mean of all values, a scalar. */
  mean(x: Value, options: LayerOptions = {}): Value {
    const name = options.name ?? this.nextName('mean');
    return this.push({ op: 'mean', inputs: [this.own(name, x).node] }, [], name);
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
    const name = options.name ?? this.nextName('bceWithLogits');
    this.#target(name, logits, target);
    if (weight) checkEqual(name, 'weight', this.own(name, weight).shape, logits.shape);
    const inputs = weight
      ? ([logits.node, target.node, weight.node] as const)
      : ([logits.node, target.node] as const);
    return this.push({ op: 'bceWithLogits', inputs }, [], name);
  }

  /**
   * Cross-entropy of p = sigmoid(logits) against `target` t in [0, 1], weighed by how wrong it still is, then the mean:
   * α·t·(1 − p)^γ·(−log p) + (1 − α)·(1 − t)·p^γ·(−log(1 − p)), by default α ¼ and γ 2. γ is 0 or at least 1. Stable for any finite logit.
   * @see Lin et al. 2017, Focal Loss for Dense Object Detection
   */
  focalLoss(
    logits: Value,
    target: Value,
    options: LayerOptions & Partial<FocalGeometry> = {},
  ): Value {
    const name = options.name ?? this.nextName('focalLoss');
    const { alpha = 0.25, gamma = 2 } = options;
    this.#target(name, logits, target);
    if (!(alpha >= 0 && alpha <= 1)) fail(name, `alpha ${alpha} is not in [0, 1]`);
    if (!(gamma === 0 || (gamma >= 1 && gamma < Infinity))) {
      fail(name, `gamma ${gamma} is neither 0 nor at least 1`);
    }
    const inputs = [logits.node, target.node] as const;
    return this.push({ op: 'focalLoss', inputs, alpha, gamma }, [], name);
  }

  /**
   * The mean of d² / 2β where |d| < β and |d| − β / 2 elsewhere, with d = x − target; β is 1 by default.
   * @see Girshick 2015, Fast R-CNN, equation 3
   */
  smoothL1Loss(x: Value, target: Value, options: LayerOptions & { beta?: number } = {}): Value {
    const name = options.name ?? this.nextName('smoothL1Loss');
    const { beta = 1 } = options;
    this.#target(name, x, target);
    checkPositive(name, 'beta', beta);
    return this.push({ op: 'smoothL1Loss', inputs: [x.node, target.node], beta }, [], name);
  }

  /**
   * 1 − (2·Σpt + smooth) / (Σp + Σt + smooth) with p = sigmoid(logits) and t = `target` in [0, 1], both
   * images; summed per channel over the whole batch (`over: 'batch'`, the default) or per channel and sample,
   * then the mean of those losses. In [0, 1]. `smooth` (default 1) keeps an empty target defined.
   * @see Milletari et al. 2016, V-Net
   */
  softDiceLoss(
    logits: Value,
    target: Value,
    options: LayerOptions & { over?: DiceOver; smooth?: number } = {},
  ): Value {
    const name = options.name ?? this.nextName('softDiceLoss');
    const { over = 'batch', smooth = 1 } = options;
    checkGrid(name, logits.shape, 2, 3);
    this.#target(name, logits, target);
    checkPositive(name, 'smooth', smooth);
    const inputs = [logits.node, target.node] as const;
    return this.push({ op: 'softDiceLoss', inputs, over, smooth }, [], name);
  }

  #unary(op: 'relu' | 'silu' | 'sigmoid' | 'softmax', x: Value, options: LayerOptions): Value {
    const name = options.name ?? this.nextName(op);
    return this.push({ op, inputs: [this.own(name, x).node] }, x.shape, name);
  }

  #binary(op: 'add' | 'mul', a: Value, b: Value, options: LayerOptions): Value {
    const name = options.name ?? this.nextName(op);
    checkEqual(name, b.name, this.own(name, b).shape, this.own(name, a).shape);
    return this.push({ op, inputs: [a.node, b.node] }, a.shape, name);
  }

  #target(name: string, x: Value, target: Value): void {
    checkEqual(name, 'target', this.own(name, target).shape, this.own(name, x).shape);
  }

  #matrix(name: string, value: Value, what: string): [number, number] {
    const [rows, columns, ...rest]: Shape = this.own(name, value).shape;
    if (rows === undefined || columns === undefined || rest.length > 0) {
      return fail(name, `${what} is no matrix but [${value.shape.join(', ')}]`);
    }
    return [rows, columns];
  }
}

/** Starts an empty graph. */
export function createGraph(): GraphBuilder {
  return new GraphBuilder();
}
