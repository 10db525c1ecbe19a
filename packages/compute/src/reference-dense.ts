import type { Shape } from './graph.ts';

/** x wᵀ + b. */
export function denseForward(
  [n = 0, out = 0]: Shape,
  x: Float64Array,
  w: Float64Array,
  b?: Float64Array,
): Float64Array {
  const features = x.length / n;
  return Float64Array.from({ length: n * out }, (_, at) => {
    const [row, o] = [Math.floor(at / out), at % out];
    let sum = b?.[o] ?? 0;
    for (let f = 0; f < features; f++) {
      sum += (x[row * features + f] ?? 0) * (w[o * features + f] ?? 0);
    }
    return sum;
  });
}

/** dy w. */
export function denseInputGradient(
  [n = 0, features = 0]: Shape,
  dy: Float64Array,
  w: Float64Array,
): Float64Array {
  const out = dy.length / n;
  return Float64Array.from({ length: n * features }, (_, at) => {
    const [row, f] = [Math.floor(at / features), at % features];
    let sum = 0;
    for (let o = 0; o < out; o++) sum += (dy[row * out + o] ?? 0) * (w[o * features + f] ?? 0);
    return sum;
  });
}

/** dyᵀ x, for each of `examples` parts of the batch. */
export function denseWeightGradient(
  [n = 0, features = 0]: Shape,
  examples: number,
  x: Float64Array,
  dy: Float64Array,
): Float64Array {
  const out = dy.length / n;
  const dw = new Float64Array(examples * out * features);
  for (let row = 0; row < n; row++) {
    const example = Math.floor(row / (n / examples));
    for (let o = 0; o < out; o++) {
      for (let f = 0; f < features; f++) {
        const at = (example * out + o) * features + f;
        dw[at] = (dw[at] ?? 0) + (dy[row * out + o] ?? 0) * (x[row * features + f] ?? 0);
      }
    }
  }
  return dw;
}
