import { gridShape, type Shape, sizeOf } from './graph.ts';

/** Calls `visit` with the flat places of every pixel's channels. */
function eachPixel(shape: Shape, visit: (places: readonly number[]) => void): void {
  const [n, channels, spatial] = gridShape(shape, 'softmax');
  const pixels = sizeOf(spatial);
  for (let sample = 0; sample < n; sample++) {
    for (let pixel = 0; pixel < pixels; pixel++) {
      visit(Array.from({ length: channels }, (_, c) => (sample * channels + c) * pixels + pixel));
    }
  }
}

/** exp(x) over its sum along the channels, the largest taken off first. */
export function softmax(shape: Shape, x: Float64Array): Float64Array {
  const y = new Float64Array(x.length);
  eachPixel(shape, (places) => {
    const largest = Math.max(...places.map((i) => x[i] ?? 0));
    let sum = 0;
    for (const i of places) sum += Math.exp((x[i] ?? 0) - largest);
    for (const i of places) y[i] = Math.exp((x[i] ?? 0) - largest) / sum;
  });
  return y;
}

/** y · (dy − Σ dy·y), with the sum along the channels. */
export function softmaxGradient(shape: Shape, y: Float64Array, dy: Float64Array): Float64Array {
  const dx = new Float64Array(y.length);
  eachPixel(shape, (places) => {
    let dot = 0;
    for (const i of places) dot += (dy[i] ?? 0) * (y[i] ?? 0);
    for (const i of places) dx[i] = (y[i] ?? 0) * ((dy[i] ?? 0) - dot);
  });
  return dx;
}
