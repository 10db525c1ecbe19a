import { type ConvGeometry, gridShape, type Shape } from './graph.ts';

interface ConvShapes {
  /** The convolution's input, weight and result; for its transpose too. */
  readonly x: Shape;
  readonly w: Shape;
  readonly y: Shape;
}

/** Calls `visit` for every product of a convolution: flat places in its input, its weight and its result. */
function eachProduct(
  shapes: ConvShapes,
  geometry: ConvGeometry,
  visit: (x: number, w: number, y: number) => void,
): void {
  const { groups } = geometry;
  const [n, channels, xSpatial] = gridShape(shapes.x, 'conv');
  const [, out, ySpatial] = gridShape(shapes.y, 'conv');
  const [, inner, kernel] = gridShape(shapes.w, 'conv');
  const taps = tapsOf(xSpatial, ySpatial, kernel, geometry);
  const [xPixels, yPixels] = [volume(xSpatial), volume(ySpatial)];
  const perTap = volume(kernel);
  for (let sample = 0; sample < n; sample++) {
    for (let o = 0; o < out; o++) {
      const firstChannel = Math.floor(o / (out / groups)) * inner;
      for (let c = 0; c < inner; c++) {
        const xAt = (sample * channels + firstChannel + c) * xPixels;
        const yAt = (sample * out + o) * yPixels;
        const wAt = (o * inner + c) * perTap;
        for (const { x, w, y } of taps) visit(xAt + x, wAt + w, yAt + y);
      }
    }
  }
}

/** Every pair of a result's and an input's pixel that some tap joins, within one pair of channels. */
function tapsOf(
  xSpatial: readonly number[],
  ySpatial: readonly number[],
  kernel: readonly number[],
  { stride, padding, dilation }: ConvGeometry,
): { x: number; w: number; y: number }[] {
  let joined = [{ x: 0, w: 0, y: 0 }];
  for (const [axis, steps] of ySpatial.entries()) {
    const [size = 1, taps = 1] = [xSpatial[axis], kernel[axis]];
    joined = joined.flatMap((before) => {
      const more: { x: number; w: number; y: number }[] = [];
      for (let step = 0; step < steps; step++) {
        for (let tap = 0; tap < taps; tap++) {
          const place = step * stride + tap * dilation - padding;
          if (place < 0 || place >= size) continue;
          more.push({
            x: before.x * size + place,
            w: before.w * taps + tap,
            y: before.y * steps + step,
          });
        }
      }
      return more;
    });
  }
  return joined;
}

function volume(spatial: readonly number[]): number {
  return spatial.reduce((product, size) => product * size, 1);
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

/** Adds the transpose of the convolution, of `y` with `w`, onto `x`. */
export function convTranspose(
  shapes: ConvShapes,
  geometry: ConvGeometry,
  y: Float64Array,
  w: Float64Array,
  x: Float64Array,
): void {
  eachProduct(shapes, geometry, (xi, wi, yi) => {
    x[xi] = (x[xi] ?? 0) + (y[yi] ?? 0) * (w[wi] ?? 0);
  });
}

/** Adds the gradient by the weight onto `dw`, which has one part for each of `examples`. */
export function convWeightGradient(
  shapes: ConvShapes,
  geometry: ConvGeometry,
  examples: number,
  x: Float64Array,
  dy: Float64Array,
  dw: Float64Array,
): void {
  const part = dw.length / examples;
  const perExample = x.length / examples;
  eachProduct(shapes, geometry, (xi, wi, yi) => {
    const at = Math.floor(xi / perExample) * part + wi;
    dw[at] = (dw[at] ?? 0) + (dy[yi] ?? 0) * (x[xi] ?? 0);
  });
}
