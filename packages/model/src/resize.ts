/** For one axis: which source cells make each target cell, with weights that sum to one. */
export interface AxisMap {
  readonly from: number;
  readonly to: number;
  /** First source index of each target cell. */
  readonly first: Int32Array;
  /** How many source cells each target cell takes. */
  readonly count: Int32Array;
  /** The weights, `stride` places a target cell. */
  readonly weights: Float64Array;
  readonly stride: number;
}

/**
 * Shrinking takes the mean over the area that a target cell covers; enlarging is linear between the
 * centres of the source cells, and constant beyond the outermost centres.
 *
 * @throws {RangeError} when a length is not a positive integer.
 */
export function axisMap(from: number, to: number): AxisMap {
  if (!(Number.isInteger(from) && Number.isInteger(to) && from > 0 && to > 0)) {
    throw new RangeError(`lengths must be positive integers, got ${from} and ${to}`);
  }
  const ratio = from / to;
  const stride = ratio > 1 ? Math.ceil(ratio) + 1 : 2;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Float64Array(to * stride);
  for (let t = 0; t < to; t++) {
    if (ratio > 1) {
      const low = t * ratio;
      const high = Math.min(from, low + ratio);
      first[t] = Math.floor(low);
      const last = Math.min(from, Math.ceil(high - 1e-9));
      count[t] = last - Math.floor(low);
      for (let s = Math.floor(low); s < last; s++) {
        const overlap = Math.min(high, s + 1) - Math.max(low, s);
        weights[t * stride + s - Math.floor(low)] = overlap / (high - low);
      }
    } else {
      const centre = Math.min(from - 1, Math.max(0, (t + 0.5) * ratio - 0.5));
      const low = Math.min(Math.floor(centre), Math.max(0, from - 2));
      first[t] = low;
      count[t] = from === 1 ? 1 : 2;
      weights[t * stride] = from === 1 ? 1 : 1 - (centre - low);
      weights[t * stride + 1] = from === 1 ? 0 : centre - low;
    }
  }
  return { from, to, first, count, weights, stride };
}

/**
 * Resamples one plane [height][width] to the maps' target size. The mean of the plane is kept when both
 * axes shrink; values never leave the range of the source.
 *
 * @throws {RangeError} when `source` is not of the maps' source size.
 */
export function resizePlane(
  source: ArrayLike<number>,
  columns: AxisMap,
  rows: AxisMap,
  target: Float32Array = new Float32Array(columns.to * rows.to),
): Float32Array {
  if (source.length !== columns.from * rows.from) {
    throw new RangeError(
      `plane has ${source.length} values, wanted ${columns.from} x ${rows.from}`,
    );
  }
  const across = new Float32Array(rows.from * columns.to);
  for (let y = 0; y < rows.from; y++) {
    for (let t = 0; t < columns.to; t++) {
      let sum = 0;
      const start = y * columns.from + at(columns.first, t);
      for (let i = 0; i < at(columns.count, t); i++) {
        sum += at(columns.weights, t * columns.stride + i) * at(source, start + i);
      }
      across[y * columns.to + t] = sum;
    }
  }
  for (let t = 0; t < rows.to; t++) {
    for (let x = 0; x < columns.to; x++) {
      let sum = 0;
      for (let i = 0; i < at(rows.count, t); i++) {
        sum +=
          at(rows.weights, t * rows.stride + i) *
          at(across, (at(rows.first, t) + i) * columns.to + x);
      }
      target[t * columns.to + x] = sum;
    }
  }
  return target;
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number;
}
