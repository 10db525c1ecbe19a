import { blockedDomain } from './blocked-values.ts';
import { type Shape, sizeOf } from './graph.ts';
import { flatShape, type ImagePlanes, planesOf, uprightShape } from './image-planes.ts';
import type { OnnxModel } from './onnx-model.ts';

// The lowerings of lower-pool.ts on blocked images. Over three axes planes are pooled first, and then along the depth.

/** What is pooled or repeated: its shape, with two or three spatial axes, and the channels in a block. */
interface Blocked {
  readonly shape: Shape;
  readonly block: number;
}

/** A pool over windows that tile the image. */
export function lowerBlockedPool(
  model: OnnxModel,
  op: 'MaxPool' | 'AveragePool',
  x: string,
  { shape, block }: Blocked,
  size: readonly number[],
): string {
  const { whole, deep, flat } = alongAxes(shape, size);
  const pool = (value: string, window: readonly number[]): string =>
    model.node(`${blockedDomain}.${op}`, [value], { kernel_shape: window, strides: window });
  const pooled = pool(x, flat);
  if (deep === 1) return pooled;
  const [high = 1, wide = 1] = flat;
  const planes = { ...whole, height: whole.height / high, width: whole.width / wide };
  const upright = model.reshape(pooled, uprightShape(planes, block));
  const shallow = { ...planes, depth: planes.depth / deep };
  return model.reshape(pool(upright, [deep, 1]), flatShape(shallow));
}

/** Every pixel repeated `factor` times along each axis. */
export function lowerBlockedUpsample(
  model: OnnxModel,
  x: string,
  { shape, block }: Blocked,
  factor: readonly number[],
): string {
  const { whole, deep, flat } = alongAxes(shape, factor);
  const repeat = (value: string, times: readonly number[]): string =>
    model.node(`${blockedDomain}.Upsample`, [value], { scales: [1, 1, ...times] });
  if (deep === 1) return repeat(x, flat);
  const upright = model.reshape(x, uprightShape(whole, block));
  const deeper = { ...whole, depth: whole.depth * deep };
  return repeat(model.reshape(repeat(upright, [deep, 1]), flatShape(deeper)), flat);
}

/** Twice the size, linear between pixel centres. */
export function lowerBlockedBilinear(model: OnnxModel, x: string): string {
  return model.node(`${blockedDomain}.Upsample`, [x], {
    scales: [1, 1, 2, 2],
    mode: 'linear',
    coordinate_transformation_mode: 'half_pixel',
  });
}

/** The gradient of a max pool, with the shape of `x`: each window's `dy` goes to its largest values, in equal shares. */
export function lowerBlockedMaxPoolGradient(
  model: OnnxModel,
  [x, dy]: readonly [string, string],
  { shape, block }: Blocked,
  size: readonly number[],
): string {
  const pooledShape = shape.map((pixels, axis) => pixels / (axis < 2 ? 1 : (size[axis - 2] ?? 1)));
  const pool = (op: 'MaxPool' | 'AveragePool', value: string): string =>
    lowerBlockedPool(model, op, value, { shape, block }, size);
  const spread = (value: string): string =>
    lowerBlockedUpsample(model, value, { shape: pooledShape, block }, size);
  const float32 = 1;
  const mask = model.node('Cast', [model.node('Equal', [x, spread(pool('MaxPool', x))])], {
    to: float32,
  });
  const part = pool('AveragePool', mask);
  const share = model.node('Div', [model.node('Mul', [dy, model.float(1 / sizeOf(size))]), part]);
  return model.node('Mul', [mask, spread(share)]);
}

function alongAxes(
  shape: Shape,
  size: readonly number[],
): { whole: ImagePlanes; deep: number; flat: readonly number[] } {
  const [deep = 1] = size.length === 3 ? size : [];
  return { whole: planesOf(shape, 'pool'), deep, flat: size.slice(-2) };
}
