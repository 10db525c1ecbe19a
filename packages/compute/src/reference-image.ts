import { gridShape, imageShape, type Shape, sizeOf } from './graph.ts';

/** For every pixel of a large image, the pixel of the small one (`size` times smaller along each axis) that covers it. */
function coveredBy(large: Shape, size: readonly number[]): Uint32Array {
  const [n, channels, spatial] = gridShape(large, 'pool');
  const covered = new Uint32Array(sizeOf(large));
  for (const index of covered.keys()) {
    let rest = index;
    let small = 0;
    let unit = 1;
    for (const [back, dim] of [...spatial].reverse().entries()) {
      const window = size[size.length - 1 - back] ?? 1;
      small += Math.floor((rest % dim) / window) * unit;
      unit *= dim / window;
      rest = Math.floor(rest / dim);
    }
    covered[index] = (rest % (n * channels)) * unit + small;
  }
  return covered;
}

export function maxPool(large: Shape, size: readonly number[], x: Float64Array): Float64Array {
  const y = new Float64Array(x.length / sizeOf(size)).fill(Number.NEGATIVE_INFINITY);
  for (const [from, to] of coveredBy(large, size).entries()) {
    y[to] = Math.max(y[to] ?? 0, x[from] ?? 0);
  }
  return y;
}

/** A window's gradient in equal shares to all places that hold its maximum. */
export function maxPoolGradient(
  large: Shape,
  size: readonly number[],
  x: Float64Array,
  dy: Float64Array,
): Float64Array {
  const largest = maxPool(large, size, x);
  const equals = new Float64Array(dy.length);
  const covered = coveredBy(large, size);
  for (const [from, to] of covered.entries()) {
    if (x[from] === largest[to]) equals[to] = (equals[to] ?? 0) + 1;
  }
  const dx = new Float64Array(x.length);
  for (const [from, to] of covered.entries()) {
    if (x[from] === largest[to]) dx[from] = (dy[to] ?? 0) / (equals[to] ?? 1);
  }
  return dx;
}

export function avgPool(large: Shape, size: readonly number[], x: Float64Array): Float64Array {
  const y = new Float64Array(x.length / sizeOf(size));
  for (const [from, to] of coveredBy(large, size).entries()) {
    y[to] = (y[to] ?? 0) + (x[from] ?? 0) / sizeOf(size);
  }
  return y;
}

export function upsample(large: Shape, factor: readonly number[], x: Float64Array): Float64Array {
  return Float64Array.from(coveredBy(large, factor), (from) => x[from] ?? 0);
}

/** Calls `visit` for every pair that bilinear doubling joins: places in the large and the small image, and the weight. */
function eachInterpolated(
  small: Shape,
  visit: (largeIndex: number, smallIndex: number, weight: number) => void,
): void {
  const [n, channels, height, width] = imageShape(small, 'upsampleBilinear2d');
  const neighbours = (index: number, size: number): [place: number, weight: number][] => {
    const position = Math.min(Math.max((index + 0.5) / 2 - 0.5, 0), size - 1);
    const low = Math.floor(position);
    return [
      [low, 1 - (position - low)],
      [Math.min(low + 1, size - 1), position - low],
    ];
  };
  for (let plane = 0; plane < n * channels; plane++) {
    for (let row = 0; row < 2 * height; row++) {
      for (let column = 0; column < 2 * width; column++) {
        for (const [i, byRow] of neighbours(row, height)) {
          for (const [j, byColumn] of neighbours(column, width)) {
            visit(
              (plane * 2 * height + row) * 2 * width + column,
              (plane * height + i) * width + j,
              byRow * byColumn,
            );
          }
        }
      }
    }
  }
}

export function upsampleBilinear(small: Shape, x: Float64Array): Float64Array {
  const y = new Float64Array(4 * x.length);
  eachInterpolated(small, (to, from, weight) => {
    y[to] = (y[to] ?? 0) + weight * (x[from] ?? 0);
  });
  return y;
}

export function upsampleBilinearGradient(small: Shape, dy: Float64Array): Float64Array {
  const dx = new Float64Array(dy.length / 4);
  eachInterpolated(small, (from, to, weight) => {
    dx[to] = (dx[to] ?? 0) + weight * (dy[from] ?? 0);
  });
  return dx;
}

/** Joins the channels of images; `shapes` are theirs. */
export function concatChannels(
  shapes: readonly Shape[],
  images: readonly Float64Array[],
): Float64Array {
  const [n] = gridShape(shapes[0] ?? [], 'concat');
  const joined = new Float64Array(images.reduce((sum, image) => sum + image.length, 0));
  let at = 0;
  for (let sample = 0; sample < n; sample++) {
    for (const image of images) {
      const size = image.length / n;
      joined.set(image.subarray(sample * size, (sample + 1) * size), at);
      at += size;
    }
  }
  return joined;
}

/** What lies in [from, to) on one axis, with zeros where that is outside of `x`. */
export function window(
  shape: Shape,
  { axis, from, to }: { axis: number; from: number; to: number },
  x: Float64Array,
): Float64Array {
  const size = shape[axis] ?? 1;
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const result = new Float64Array(outer * (to - from) * inner);
  for (let i = 0; i < outer; i++) {
    for (let at = Math.max(from, 0); at < Math.min(to, size); at++) {
      const start = (i * size + at) * inner;
      result.set(x.subarray(start, start + inner), (i * (to - from) + at - from) * inner);
    }
  }
  return result;
}

/** The sum of every channel over pixels and samples, for each of `examples` parts of the batch. */
export function channelSum(shape: Shape, examples: number, x: Float64Array): Float64Array {
  const [n, channels, spatial] = gridShape(shape, 'channelSum');
  const pixels = sizeOf(spatial);
  const sums = new Float64Array(examples * channels);
  for (const [index, value] of x.entries()) {
    const plane = Math.floor(index / pixels);
    const example = Math.floor(plane / channels / (n / examples));
    const at = example * channels + (plane % channels);
    sums[at] = (sums[at] ?? 0) + value;
  }
  return sums;
}
