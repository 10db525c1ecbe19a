import { type ConvGeometry, gridShape, imageShape, type Shape } from './graph.ts';
import { GraphAssembly, type LayerOptions, type Value } from './graph-assembly.ts';
import { checkCount, checkEqual, checkGrid, fail } from './shape-check.ts';

/** Geometry of a convolution layer. */
export interface ConvOptions extends LayerOptions {
  /** @default 1 */
  readonly stride?: number;
  /** Zeros around the image. @default ⌊dilation · (K − 1) / 2⌋, which keeps the size for odd K */
  readonly padding?: number;
  /** @default 1 */
  readonly dilation?: number;
  /** @default 1 */
  readonly groups?: number;
}

/** Geometry of a transposed convolution layer. */
export interface ConvTransposeOptions extends Omit<ConvOptions, 'padding'> {
  /** @default 0 */
  readonly padding?: number;
  /** Rows and columns added at the far ends, below the stride. @default 0 */
  readonly outputPadding?: number;
}

/** The layers that make images from images. */
export class ImageLayers extends GraphAssembly {
  /**
   * Cross-correlation of `x` [N, C, H, W] with `w` [O, C / groups, K, K], and `b` [O] added where given, to
   * [N, O, ⌊(H + 2·padding − dilation·(K − 1) − 1) / stride⌋ + 1, …].
   */
  conv2d(x: Value, w: Value, b?: Value | null, options: ConvOptions = {}): Value {
    return this.#conv(2, 'conv2d', x, w, b, options);
  }

  /** {@link conv2d} over three axes: `x` [N, C, D, H, W], `w` [O, C / groups, K, K, K]. */
  conv3d(x: Value, w: Value, b?: Value | null, options: ConvOptions = {}): Value {
    return this.#conv(3, 'conv3d', x, w, b, options);
  }

  /**
   * The transpose of {@link conv2d}, which enlarges by its stride: `x` [N, O, H, W] with `w` [O, C / groups, K, K] (that convolution's
   * weight) and `b` [C] to [N, C, (H − 1)·stride − 2·padding + dilation·(K − 1) + 1 + outputPadding, …].
   */
  convTranspose2d(x: Value, w: Value, b?: Value | null, options: ConvTransposeOptions = {}): Value {
    return this.#convTranspose(2, 'convTranspose2d', x, w, b, options);
  }

  /** {@link convTranspose2d} over three axes. */
  convTranspose3d(x: Value, w: Value, b?: Value | null, options: ConvTransposeOptions = {}): Value {
    return this.#convTranspose(3, 'convTranspose3d', x, w, b, options);
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
    const [, channels] = checkGrid(name, this.own(name, x).shape, 1, 3);
    checkEqual(name, 'scale', this.own(name, scale).shape, [channels]);
    checkEqual(name, 'shift', this.own(name, shift).shape, [channels]);
    checkCount(name, 'groups', groups, 1);
    if (channels % groups !== 0) {
      fail(name, `${channels} channels do not divide into ${groups} groups`);
    }
    if (!(epsilon > 0 && epsilon < Infinity)) fail(name, `epsilon ${epsilon} is not positive`);
    const inputs = [x.node, scale.node, shift.node] as const;
    return this.push({ op: 'groupNorm', inputs, groups, epsilon }, x.shape, name);
  }

  /** {@link groupNorm} with a group for every channel. @see Ulyanov et al. 2016, Instance Normalization */
  instanceNorm(
    x: Value,
    scale: Value,
    shift: Value,
    options: LayerOptions & { epsilon?: number } = {},
  ): Value {
    const name = options.name ?? `instanceNorm ${scale.name}`;
    const [, channels] = gridShape(x.shape, name);
    return this.groupNorm(x, scale, shift, channels, { ...options, name });
  }

  /** The largest of every `size`×`size` square, which tile the image. Among equals, each gets the same share of the gradient. */
  maxPool2d(x: Value, size = 2, options: LayerOptions = {}): Value {
    return this.#pool('maxPool', 'maxPool2d', x, [size, size], options);
  }

  /** {@link maxPool2d} with cubes, over three axes. */
  maxPool3d(x: Value, size = 2, options: LayerOptions = {}): Value {
    return this.#pool('maxPool', 'maxPool3d', x, [size, size, size], options);
  }

  /** The mean of every `size`×`size` square, which tile the image. */
  avgPool2d(x: Value, size = 2, options: LayerOptions = {}): Value {
    return this.#pool('avgPool', 'avgPool2d', x, [size, size], options);
  }

  /** {@link avgPool2d} with cubes, over three axes. */
  avgPool3d(x: Value, size = 2, options: LayerOptions = {}): Value {
    return this.#pool('avgPool', 'avgPool3d', x, [size, size, size], options);
  }

  /** The mean of every channel, [N, C]. */
  globalAvgPool(x: Value, options: LayerOptions = {}): Value {
    return this.#globalPool('avgPool', 'globalAvgPool', x, options);
  }

  /** The largest value of every channel, [N, C]. */
  globalMaxPool(x: Value, options: LayerOptions = {}): Value {
    return this.#globalPool('maxPool', 'globalMaxPool', x, options);
  }

  /** Repeats every pixel `factor`×`factor` times (nearest neighbour). */
  upsample2d(x: Value, factor = 2, options: LayerOptions = {}): Value {
    return this.#upsample('upsample2d', x, [factor, factor], options);
  }

  /** {@link upsample2d} over three axes. */
  upsample3d(x: Value, factor = 2, options: LayerOptions = {}): Value {
    return this.#upsample('upsample3d', x, [factor, factor, factor], options);
  }

  /**
   * Twice the height and width by linear interpolation between pixel centres, edges repeated (what other libraries call
   * bilinear with `align_corners` off).
   */
  upsampleBilinear2d(x: Value, options: LayerOptions = {}): Value {
    const name = options.name ?? this.nextName('upsampleBilinear2d');
    const [n, c, h, w] = imageShape(this.own(name, x).shape, name);
    return this.push({ op: 'upsampleBilinear2d', inputs: [x.node] }, [n, c, 2 * h, 2 * w], name);
  }

  /** Joins images of equal size along their channels, in the order given. */
  concat(values: readonly Value[], options: LayerOptions = {}): Value {
    const name = options.name ?? this.nextName('concat');
    const [first] = values;
    if (first === undefined) return fail(name, 'there is nothing to join');
    const [n, , spatial] = gridShape(first.shape, name);
    let channels = 0;
    for (const value of values) {
      const c = gridShape(this.own(name, value).shape, name)[1];
      checkEqual(name, value.name, value.shape, [n, c, ...spatial]);
      channels += c;
    }
    const inputs = values.map(({ node }) => node);
    return this.push({ op: 'concat', inputs }, [n, channels, ...spatial], name);
  }

  /** The channels from `from` up to but without `to`. */
  sliceChannels(x: Value, from: number, to: number, options: LayerOptions = {}): Value {
    return this.slice(x, 1, from, to, {
      ...options,
      name: options.name ?? this.nextName('sliceChannels'),
    });
  }

  /** What lies from `from` up to but without `to` on `axis`: 1 are the channels, then come depth, height, width. Samples are never cut. */
  slice(x: Value, axis: number, from: number, to: number, options: LayerOptions = {}): Value {
    const name = options.name ?? this.nextName('slice');
    const size = this.#axisSize(name, x, axis);
    checkCount(name, 'from', from, 0);
    checkCount(name, 'to', to, from + 1);
    if (to > size)
      fail(name, axis === 1 ? `channels up to ${to} of ${size}` : `up to ${to} of ${size}`);
    return this.push(
      { op: 'slice', inputs: [x.node], axis, from, to },
      resized(x.shape, axis, to - from),
      name,
    );
  }

  /** `before` and `after` zeros added on `axis`, counted as by {@link slice}. */
  pad(x: Value, axis: number, before: number, after: number, options: LayerOptions = {}): Value {
    const name = options.name ?? this.nextName('pad');
    const size = this.#axisSize(name, x, axis);
    checkCount(name, 'before', before, 0);
    checkCount(name, 'after', after, 0);
    const operation = { op: 'pad', inputs: [x.node], axis, before, after } as const;
    return this.push(operation, resized(x.shape, axis, before + size + after), name);
  }

  #conv(
    rank: number,
    op: string,
    x: Value,
    w: Value,
    b: Value | null | undefined,
    options: ConvOptions,
  ): Value {
    const name = options.name ?? `${op} ${w.name}`;
    const [n, channels, spatial] = checkGrid(name, this.own(name, x).shape, rank, rank);
    const [out, inner, kernel] = checkKernel(name, this.own(name, w).shape, rank);
    const { stride = 1, dilation = 1, groups = 1 } = options;
    const reach = dilation * (kernel - 1) + 1;
    const { padding = reach >> 1 } = options;
    checkGeometry(name, { stride, padding, dilation, groups }, reach);
    if (inner * groups !== channels) {
      fail(name, `the weight takes ${inner * groups} channels, the input has ${channels}`);
    }
    if (out % groups !== 0) fail(name, `${out} results do not divide into ${groups} groups`);
    if (Math.min(...spatial) + 2 * padding < reach) {
      fail(name, `the padded image is smaller than the kernel ${reach}`);
    }
    if (b) checkEqual(name, 'bias', this.own(name, b).shape, [out]);
    return this.push(
      {
        op: 'conv',
        inputs: b ? [x.node, w.node, b.node] : [x.node, w.node],
        ...{ stride, padding, dilation, groups },
      },
      [n, out, ...spatial.map((size) => Math.floor((size + 2 * padding - reach) / stride) + 1)],
      name,
    );
  }

  #convTranspose(
    rank: number,
    op: string,
    x: Value,
    w: Value,
    b: Value | null | undefined,
    options: ConvTransposeOptions,
  ): Value {
    const name = options.name ?? `${op} ${w.name}`;
    const [n, out, spatial] = checkGrid(name, this.own(name, x).shape, rank, rank);
    const [outer, inner, kernel] = checkKernel(name, this.own(name, w).shape, rank);
    const { stride = 1, padding = 0, dilation = 1, groups = 1, outputPadding = 0 } = options;
    const reach = dilation * (kernel - 1) + 1;
    checkGeometry(name, { stride, padding, dilation, groups }, reach);
    checkCount(name, 'outputPadding', outputPadding, 0);
    if (outputPadding >= stride) {
      fail(name, `outputPadding ${outputPadding} is not below the stride ${stride}`);
    }
    if (outer !== out) fail(name, `the weight takes ${outer} channels, the input has ${out}`);
    if (out % groups !== 0) fail(name, `${out} channels do not divide into ${groups} groups`);
    const channels = inner * groups;
    const sizes = spatial.map((size) => (size - 1) * stride - 2 * padding + reach + outputPadding);
    if (sizes.some((size) => size < 1)) fail(name, 'the result would be empty');
    const inputs = [x.node, w.node] as const;
    const geometry = { stride, padding, dilation, groups };
    const y = this.push(
      { op: 'convTranspose', inputs, ...geometry },
      [n, channels, ...sizes],
      name,
    );
    if (!b) return y;
    checkEqual(name, 'bias', this.own(name, b).shape, [channels]);
    return this.push({ op: 'addChannels', inputs: [y.node, b.node] }, y.shape, `${name} bias`);
  }

  #pool(
    op: 'maxPool' | 'avgPool',
    label: string,
    x: Value,
    size: readonly number[],
    options: LayerOptions,
  ): Value {
    const name = options.name ?? this.nextName(label);
    const [n, c, spatial] = checkGrid(name, this.own(name, x).shape, size.length, size.length);
    for (const each of size) checkCount(name, 'size', each, 1);
    if (spatial.some((dim, axis) => dim % (size[axis] ?? 1) !== 0)) {
      fail(name, `windows of ${size[0]} do not tile an image of ${spatial.join('×')}`);
    }
    const pooled = spatial.map((dim, axis) => dim / (size[axis] ?? 1));
    return this.push({ op, inputs: [x.node], size }, [n, c, ...pooled], name);
  }

  #globalPool(op: 'maxPool' | 'avgPool', label: string, x: Value, options: LayerOptions): Value {
    const name = options.name ?? this.nextName(label);
    const [n, c, spatial] = checkGrid(name, this.own(name, x).shape, 2, 3);
    const pooled = this.push(
      { op, inputs: [x.node], size: spatial },
      [n, c, ...spatial.map(() => 1)],
      name,
    );
    return this.push({ op: 'reshape', inputs: [pooled.node] }, [n, c], `${name} rows`);
  }

  #upsample(label: string, x: Value, factor: readonly number[], options: LayerOptions): Value {
    const name = options.name ?? this.nextName(label);
    const [n, c, spatial] = checkGrid(name, this.own(name, x).shape, factor.length, factor.length);
    for (const each of factor) checkCount(name, 'factor', each, 1);
    const enlarged = spatial.map((dim, axis) => dim * (factor[axis] ?? 1));
    return this.push({ op: 'upsample', inputs: [x.node], factor }, [n, c, ...enlarged], name);
  }

  #axisSize(name: string, x: Value, axis: number): number {
    const { shape } = this.own(name, x);
    checkCount(name, 'axis', axis, 1);
    return shape[axis] ?? fail(name, `axis ${axis} of a shape of ${shape.length} dimensions`);
  }
}

function checkKernel(
  name: string,
  shape: Shape,
  rank: number,
): [out: number, inner: number, kernel: number] {
  const [out, inner, spatial] = checkGrid(name, shape, rank, rank);
  const [kernel = 1] = spatial;
  if (spatial.some((size) => size !== kernel)) {
    fail(name, `the kernel ${spatial.join('×')} is not ${rank === 2 ? 'square' : 'a cube'}`);
  }
  return [out, inner, kernel];
}

function checkGeometry(name: string, geometry: ConvGeometry, reach: number): void {
  const { stride, padding, dilation, groups } = geometry;
  checkCount(name, 'stride', stride, 1);
  checkCount(name, 'dilation', dilation, 1);
  checkCount(name, 'groups', groups, 1);
  checkCount(name, 'padding', padding, 0);
  if (padding >= reach) fail(name, `padding ${padding} is not below the kernel's ${reach}`);
}

function resized(shape: Shape, axis: number, size: number): Shape {
  return shape.map((dim, at) => (at === axis ? size : dim));
}
