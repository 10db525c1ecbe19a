import { gridShape, type NormGeometry, type Shape, sizeOf } from './graph.ts';

interface Group {
  readonly mean: number;
  /** 1 / √(variance + ε). */
  readonly inverse: number;
  /** Flat places of the group's values: from `start` up to but without `end`; `pixels` a channel. */
  readonly start: number;
  readonly end: number;
  readonly pixels: number;
  readonly firstChannel: number;
}

/** Every group of every sample, with its statistics in two passes. */
function groupsOf(x: Float64Array, shape: Shape, { groups, epsilon }: NormGeometry): Group[] {
  const [n, channels, spatial] = gridShape(shape, 'groupNorm');
  const pixels = sizeOf(spatial);
  const size = (channels / groups) * pixels;
  return Array.from({ length: n * groups }, (_, index) => {
    const start = index * size;
    const values = x.subarray(start, start + size);
    const mean = values.reduce((sum, value) => sum + value, 0) / size;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / size;
    return {
      mean,
      inverse: 1 / Math.sqrt(variance + epsilon),
      start,
      end: start + size,
      pixels,
      firstChannel: (index % groups) * (channels / groups),
    };
  });
}

function channelAt(group: Group, index: number): number {
  return group.firstChannel + Math.floor((index - group.start) / group.pixels);
}

/** Group norm of `x`, with one scale and shift a channel. */
export function normForward(
  shape: Shape,
  geometry: NormGeometry,
  x: Float64Array,
  scale: Float64Array,
  shift: Float64Array,
): Float64Array {
  const y = new Float64Array(x.length);
  for (const group of groupsOf(x, shape, geometry)) {
    for (let i = group.start; i < group.end; i++) {
      const c = channelAt(group, i);
      const normalised = ((x[i] ?? 0) - group.mean) * group.inverse;
      y[i] = normalised * (scale[c] ?? 0) + (shift[c] ?? 0);
    }
  }
  return y;
}

/** Σ dy · x̂ per channel, for each of `examples` parts of the batch. */
export function normScaleGradient(
  shape: Shape,
  geometry: NormGeometry,
  examples: number,
  x: Float64Array,
  dy: Float64Array,
): Float64Array {
  const [, channels] = gridShape(shape, 'groupNorm');
  const gradient = new Float64Array(examples * channels);
  for (const group of groupsOf(x, shape, geometry)) {
    const example = Math.floor(group.start / (x.length / examples));
    for (let i = group.start; i < group.end; i++) {
      const c = example * channels + channelAt(group, i);
      const normalised = ((x[i] ?? 0) - group.mean) * group.inverse;
      gradient[c] = (gradient[c] ?? 0) + (dy[i] ?? 0) * normalised;
    }
  }
  return gradient;
}

/** r · (g − mean(g) − x̂ · mean(g · x̂)) with g = dy · scale. */
export function normInputGradient(
  shape: Shape,
  geometry: NormGeometry,
  x: Float64Array,
  scale: Float64Array,
  dy: Float64Array,
): Float64Array {
  const gradient = new Float64Array(x.length);
  for (const group of groupsOf(x, shape, geometry)) {
    const size = group.end - group.start;
    let sum = 0;
    let product = 0;
    for (let i = group.start; i < group.end; i++) {
      const g = (dy[i] ?? 0) * (scale[channelAt(group, i)] ?? 0);
      sum += g;
      product += g * ((x[i] ?? 0) - group.mean) * group.inverse;
    }
    for (let i = group.start; i < group.end; i++) {
      const g = (dy[i] ?? 0) * (scale[channelAt(group, i)] ?? 0);
      const normalised = ((x[i] ?? 0) - group.mean) * group.inverse;
      gradient[i] = group.inverse * (g - sum / size - (normalised * product) / size);
    }
  }
  return gradient;
}
