import { blockedDomain } from './blocked-values.ts';
import { sizeOf } from './graph.ts';
import type { OnnxModel } from './onnx-model.ts';

// The lowerings of lower-pool.ts on blocked images.

/** A pool over windows that tile the image. */
export function lowerBlockedPool(
  model: OnnxModel,
  op: 'MaxPool' | 'AveragePool',
  x: string,
  size: readonly number[],
): string {
  return model.node(`${blockedDomain}.${op}`, [x], {
    kernel_shape: size,
    strides: size,
  });
}

/** Every pixel repeated `factor` times along each axis. */
export function lowerBlockedUpsample(
  model: OnnxModel,
  x: string,
  factor: readonly number[],
): string {
  return model.node(`${blockedDomain}.Upsample`, [x], { scales: [1, 1, ...factor] });
}

/** Twice the size, linear between pixel centres. */
export function lowerBlockedBilinear(model: OnnxModel, x: string): string {
  return model.node(`${blockedDomain}.Upsample`, [x], {
    scales: [1, 1, 2, 2],
    mode: 'linear',
    coordinate_transformation_mode: 'half_pixel',
  });
}

/** The gradient of a max pool: each window's `dy` goes to its largest values, in equal shares. */
export function lowerBlockedMaxPoolGradient(
  model: OnnxModel,
  [x, dy]: readonly [string, string],
  size: readonly number[],
): string {
  const largest = lowerBlockedUpsample(model, lowerBlockedPool(model, 'MaxPool', x, size), size);
  const float32 = 1;
  const mask = model.node('Cast', [model.node('Equal', [x, largest])], { to: float32 });
  const part = lowerBlockedPool(model, 'AveragePool', mask, size);
  const share = model.node('Div', [model.node('Mul', [dy, model.float(1 / sizeOf(size))]), part]);
  return model.node('Mul', [mask, lowerBlockedUpsample(model, share, size)]);
}
