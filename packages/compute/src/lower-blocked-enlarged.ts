import { imageShape, type Shape } from './graph.ts';
import { lowerBlockedConv } from './lower-blocked-conv.ts';
import type { OnnxModel } from './onnx-model.ts';

// Of three neighbouring pixels of an image enlarged twice, two are copies of one: which of two pixels of the small image (rows) each kernel tap
// (columns) falls on, for even and odd places.
const folds = [
  [
    [1, 0, 0],
    [0, 1, 1],
  ],
  [
    [1, 1, 0],
    [0, 0, 1],
  ],
] as const;

/**
 * A 3×3 convolution, padding 1, of an image enlarged twice by nearest neighbours, without enlarging it: each of the four places that a pixel becomes is a
 * 2×2 convolution of the small image, by kernels whose taps are added where they meet the same pixel. 4/9 of the products; the places are then laid side by side.
 *
 * `x` [N, C, H, W] is the small image, blocked; the result [N, O, 2H, 2W] is blocked.
 */
export function lowerBlockedEnlargedConv(
  model: OnnxModel,
  [x, w, bias]: readonly [string, string, string | undefined],
  shapes: { x: Shape; w: Shape; block: number },
): string {
  const [n, channels, height, width] = imageShape(shapes.x, 'upsample');
  const [out] = imageShape(shapes.w, 'conv');
  const { block } = shapes;
  const folded = model.node('MatMul', [
    model.reshape(w, [out * channels, 9]),
    model.floats(foldMatrix(), [9, 16]),
  ]);
  const byPlace = model.node('Transpose', [model.reshape(folded, [out, channels, 4, 4])], {
    perm: [2, 0, 1, 3],
  });
  const kernels = [4 * out, channels, 2, 2];
  const places = lowerBlockedConv(
    model,
    [x, model.reshape(byPlace, kernels)],
    { w: kernels, block },
    { stride: 1, padding: 1 },
    bias === undefined ? {} : { bias: model.node('Concat', [bias, bias, bias, bias], { axis: 0 }) },
  );
  // One row and column more than the image: odd places lie one further, since their window does.
  const grid = model.reshape(places, [n, 4, out / block, height + 1, width + 1, block]);
  const placeAt = (row: number, column: number): string => {
    const from = [2 * row + column, row, column];
    const to = [2 * row + column + 1, row + height, column + width];
    const part = [model.ints(from), model.ints(to), model.ints([1, 3, 4])];
    return model.reshape(model.node('Slice', [grid, ...part]), [
      (n * out * height) / block,
      width,
      1,
      block,
    ]);
  };
  const rows = [0, 1].map((row) => {
    const beside = model.node('Concat', [placeAt(row, 0), placeAt(row, 1)], { axis: 2 });
    return model.reshape(beside, [(n * out * height) / block, 1, 2 * width * block]);
  });
  const image = model.node('Concat', rows, { axis: 1 });
  return model.reshape(image, [n, out, 2 * height, 2 * width]);
}

/** [taps of 3×3, places · taps of 2×2]. */
function foldMatrix(): Float32Array {
  const matrix = new Float32Array(9 * 16);
  for (let tap = 0; tap < 9; tap++) {
    for (let column = 0; column < 16; column++) {
      const [row, right, up, left] = [
        column >> 3,
        (column >> 2) & 1,
        (column >> 1) & 1,
        column & 1,
      ];
      const byRow = folds[row as 0 | 1][up as 0 | 1][Math.floor(tap / 3) as 0 | 1 | 2];
      const byColumn = folds[right as 0 | 1][left as 0 | 1][(tap % 3) as 0 | 1 | 2];
      matrix[tap * 16 + column] = byRow * byColumn;
    }
  }
  return matrix;
}
