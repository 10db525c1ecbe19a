import { type ConvGeometry, imageShape, type Shape } from './graph.ts';

/** Calls `visit` for every product of a convolution: flat places in its input, its weight and its result. */
function eachProduct(
  shapes: { x: Shape; w: Shape; y: Shape },
  { stride, padding }: ConvGeometry,
  visit: (x: number, w: number, y: number) => void,
): void {
  const [, channels, height, width] = imageShape(shapes.x, 'conv2d');
  const [out, , kernel] = imageShape(shapes.w, 'conv2d');
  const [n, , yHeight, yWidth] = imageShape(shapes.y, 'conv2d');
  for (let sample = 0; sample < n; sample++) {
    for (let o = 0; o < out; o++) {
      for (let row = 0; row < yHeight; row++) {
        for (let column = 0; column < yWidth; column++) {
          const y = ((sample * out + o) * yHeight + row) * yWidth + column;
          for (let c = 0; c < channels; c++) {
            for (let i = 0; i < kernel; i++) {
              const xRow = row * stride + i - padding;
              if (xRow < 0 || xRow >= height) continue;
              for (let j = 0; j < kernel; j++) {
                const xColumn = column * stride + j - padding;
                if (xColumn < 0 || xColumn >= width) continue;
                const x = ((sample * channels + c) * height + xRow) * width + xColumn;
                visit(x, ((o * channels + c) * kernel + i) * kernel + j, y);
              }
            }
          }
        }
      }
    }
  }
}

interface ConvShapes {
  readonly x: Shape;
  readonly w: Shape;
  readonly y: Shape;
}

/** Adds the convolution of `x` with `w` onto `y`, which holds the bias or zeros. */
export function convForward(
  shapes: ConvShapes,
  geometry: ConvGeometry,
  x: Float64Array,
  w: Float64Array,
  y: Float64Array,
): void {
  eachProduct(shapes, geometry, (xi, wi, yi) => {
    y[yi] = (y[yi] ?? 0) + (x[xi] ?? 0) * (w[wi] ?? 0);
  });
}

/** Adds the gradient by the input onto `dx`. */
export function convInputGradient(
  shapes: ConvShapes,
  geometry: ConvGeometry,
  dy: Float64Array,
  w: Float64Array,
  dx: Float64Array,
): void {
  eachProduct(shapes, geometry, (xi, wi, yi) => {
    dx[xi] = (dx[xi] ?? 0) + (dy[yi] ?? 0) * (w[wi] ?? 0);
  });
}

/** Adds the gradient by the weight onto `dw`. */
export function convWeightGradient(
  shapes: ConvShapes,
  geometry: ConvGeometry,
  x: Float64Array,
  dy: Float64Array,
  dw: Float64Array,
): void {
  eachProduct(shapes, geometry, (xi, wi, yi) => {
    dw[wi] = (dw[wi] ?? 0) + (dy[yi] ?? 0) * (x[xi] ?? 0);
  });
}
