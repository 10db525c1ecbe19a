import type { OnnxModel } from './onnx-model.ts';

/** A pool over squares that tile the image. */
export function lowerPool(
  model: OnnxModel,
  op: 'MaxPool' | 'AveragePool',
  x: string,
  size: number,
): string {
  return model.node(op, [x], { kernel_shape: [size, size], strides: [size, size] });
}

/** Every pixel repeated `factor`×`factor` times. */
export function lowerUpsample(model: OnnxModel, x: string, factor: number): string {
  return model.node('Resize', [x, '', model.floats([1, 1, factor, factor])], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  });
}

/**
 * The gradient of a max pool: each square's `dy` goes to its largest values, in equal shares.
 *
 * By comparison with the maximum rather than by `MaxPool`'s second output, which costs onnxruntime fifteen times the pool
 * itself, and which GPU providers do not have.
 */
export function lowerMaxPoolGradient(
  model: OnnxModel,
  [x, dy]: readonly [string, string],
  size: number,
): string {
  const largest = lowerUpsample(model, lowerPool(model, 'MaxPool', x, size), size);
  const float32 = 1;
  const mask = model.node('Cast', [model.node('Equal', [x, largest])], { to: float32 });
  const part = lowerPool(model, 'AveragePool', mask, size);
  const share = model.node('Div', [model.node('Mul', [dy, model.float(size ** -2)]), part]);
  return model.node('Mul', [mask, lowerUpsample(model, share, size)]);
}
