import { imageShape, type Shape } from './graph.ts';

/** Calls `visit` for every pixel of a large image with the pixel of the small one (`size` times smaller) that covers it. */
function eachCovered(
  large: Shape,
  size: number,
  visit: (largeIndex: number, smallIndex: number) => void,
): void {
  const [n, channels, height, width] = imageShape(large, 'pool');
  for (let plane = 0; plane < n * channels; plane++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const smallRow = plane * (height / size) + Math.floor(row / size);
        visit(
          (plane * height + row) * width + column,
          smallRow * (width / size) + Math.floor(column / size),
        );
      }
    }
  }
}

export function maxPool(large: Shape, size: number, x: Float64Array): Float64Array {
  const y = new Float64Array(x.length / size ** 2).fill(Number.NEGATIVE_INFINITY);
  eachCovered(large, size, (from, to) => {
    y[to] = Math.max(y[to] ?? 0, x[from] ?? 0);
  });
  return y;
}

/** A square's gradient in equal shares to all places that hold its maximum. */
export function maxPoolGradient(
  large: Shape,
  size: number,
  x: Float64Array,
  dy: Float64Array,
): Float64Array {
  const largest = maxPool(large, size, x);
  const equals = new Float64Array(dy.length);
  eachCovered(large, size, (from, to) => {
    if (x[from] === largest[to]) equals[to] = (equals[to] ?? 0) + 1;
  });
  const dx = new Float64Array(x.length);
  eachCovered(large, size, (from, to) => {
    if (x[from] === largest[to]) dx[from] = (dy[to] ?? 0) / (equals[to] ?? 1);
  });
  return dx;
}

export function avgPool(large: Shape, size: number, x: Float64Array): Float64Array {
  const y = new Float64Array(x.length / size ** 2);
  eachCovered(large, size, (from, to) => {
    y[to] = (y[to] ?? 0) + (x[from] ?? 0) / size ** 2;
  });
  return y;
}

export function upsample(large: Shape, factor: number, x: Float64Array): Float64Array {
  const y = new Float64Array(x.length * factor ** 2);
  eachCovered(large, factor, (to, from) => {
    y[to] = x[from] ?? 0;
  });
  return y;
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
  const [n] = imageShape(shapes[0] ?? [], 'concat');
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

export function sliceChannels(
  shape: Shape,
  { from, to }: { from: number; to: number },
  x: Float64Array,
): Float64Array {
  const [n, channels, height, width] = imageShape(shape, 'sliceChannels');
  const pixels = height * width;
  const part = new Float64Array(n * (to - from) * pixels);
  for (let sample = 0; sample < n; sample++) {
    const start = (sample * channels + from) * pixels;
    part.set(x.subarray(start, start + (to - from) * pixels), sample * (to - from) * pixels);
  }
  return part;
}

export function channelSum(shape: Shape, x: Float64Array): Float64Array {
  const [, channels, height, width] = imageShape(shape, 'channelSum');
  const sums = new Float64Array(channels);
  for (const [index, value] of x.entries()) {
    const channel = Math.floor(index / (height * width)) % channels;
    sums[channel] = (sums[channel] ?? 0) + value;
  }
  return sums;
}
