import { imageShape, type Shape } from './graph.ts';
import type { OnnxModel } from './onnx-model.ts';

/**
 * The gradient of a max pool over tiling squares: `dy` goes to the first of the square's largest values.
 *
 * For `cpu` by the positions that `MaxPool` reports; otherwise by comparing each of the square's places with the maximum, since
 * GPU providers leave `MaxUnpool` to the CPU.
 */
export function lowerMaxPoolGradient(
  model: OnnxModel,
  [x, dy]: readonly [string, string],
  shape: Shape,
  size: number,
  target: 'cpu' | 'portable',
): string {
  const square = { kernel_shape: [size, size], strides: [size, size] };
  if (target === 'cpu') {
    const [, positions = ''] = model.nodes('MaxPool', [x], 2, square);
    return model.node('MaxUnpool', [dy, positions, model.ints(shape)], square);
  }
  const [n, channels, height, width] = imageShape(shape, 'maxPool2dGradient');
  const pooled = model.node('MaxPool', [x], square);
  const places: string[] = [];
  let free: string | undefined;
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const place = model.node('Slice', [
        x,
        model.ints([row, column]),
        model.ints([height, width]),
        model.ints([2, 3]),
        model.ints([size, size]),
      ]);
      // 1 where this place holds the maximum and no earlier place did.
      const equal = model.node('Cast', [model.node('Equal', [place, pooled])], { to: 1 });
      const first: string = free === undefined ? equal : model.node('Mul', [equal, free]);
      const left: string = model.node('Sub', [free ?? model.float(1), first]);
      free = left;
      places.push(
        model.reshape(model.node('Mul', [first, dy]), [
          n,
          channels,
          height / size,
          1,
          width / size,
          1,
        ]),
      );
    }
  }
  const rows = Array.from({ length: size }, (_, row) =>
    model.node('Concat', places.slice(row * size, (row + 1) * size), { axis: 5 }),
  );
  return model.reshape(model.node('Concat', rows, { axis: 3 }), shape);
}
