import { imageShape, type Shape, sizeOf } from './graph.ts';
import type { OnnxModel } from './onnx-model.ts';

/** A pool over windows that tile the image. */
export function lowerPool(
  model: OnnxModel,
  op: 'MaxPool' | 'AveragePool',
  x: string,
  size: readonly number[],
): string {
  return model.node(op, [x], { kernel_shape: size, strides: size });
}

/** Every pixel repeated `factor` times along each axis. */
export function lowerUpsample(model: OnnxModel, x: string, factor: readonly number[]): string {
  return model.node('Resize', [x, '', model.floats([1, 1, ...factor])], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  });
}

/**
 * The gradient of a max pool: each window's `dy` goes to its largest values, in equal shares.
 *
 * By comparison with the maximum rather than by `MaxPool`'s second output, which costs onnxruntime fifteen times the pool
 * itself, and which GPU providers do not have.
 */
export function lowerMaxPoolGradient(
  model: OnnxModel,
  [x, dy]: readonly [string, string],
  size: readonly number[],
): string {
  const largest = lowerUpsample(model, lowerPool(model, 'MaxPool', x, size), size);
  const float32 = 1;
  const mask = model.node('Cast', [model.node('Equal', [x, largest])], { to: float32 });
  const part = lowerPool(model, 'AveragePool', mask, size);
  const share = model.node('Div', [model.node('Mul', [dy, model.float(1 / sizeOf(size))]), part]);
  return model.node('Mul', [mask, lowerUpsample(model, share, size)]);
}

/** Twice the size, linear between pixel centres. */
export function lowerBilinear(model: OnnxModel, x: string): string {
  return model.node('Resize', [x, '', model.floats([1, 1, 2, 2])], {
    mode: 'linear',
    coordinate_transformation_mode: 'half_pixel',
  });
}

/** The transpose of {@link lowerBilinear}: Rᵀ · dy · C, with its weights for rows in R and for columns in C. */
export function lowerBilinearGradient(model: OnnxModel, dy: string, shape: Shape): string {
  const [, , height, width] = imageShape(shape, 'upsampleBilinear2d');
  const columns = model.floats(interpolationMatrix(width), [2 * width, width]);
  const rows = model.floats(interpolationMatrix(height), [2 * height, height]);
  const transposed = model.node('Transpose', [rows], { perm: [1, 0] });
  return model.node('MatMul', [transposed, model.node('MatMul', [dy, columns])]);
}

// Output i lies at (i + 1/2) / 2 − 1/2 between the inputs: three quarters of the nearer one, a quarter of the other.
function interpolationMatrix(size: number): Float32Array {
  const matrix = new Float32Array(2 * size * size);
  for (let i = 0; i < 2 * size; i++) {
    const near = i >> 1;
    const other = Math.min(Math.max(near + (i % 2 === 0 ? -1 : 1), 0), size - 1);
    matrix[i * size + near] = (matrix[i * size + near] ?? 0) + 0.75;
    matrix[i * size + other] = (matrix[i * size + other] ?? 0) + 0.25;
  }
  return matrix;
}
