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
 * @param scratch `rows.from * columns.to` values that are overwritten: given again for every plane of a scan, they spare the collector.
 * @throws {RangeError} when `source` is not of the maps' source size.
 */
export function resizePlane(
  source: ArrayLike<number>,
  columns: AxisMap,
  rows: AxisMap,
  target: Float32Array = new Float32Array(columns.to * rows.to),
  scratch: Float32Array = new Float32Array(rows.from * columns.to),
): Float32Array {
  if (source.length !== columns.from * rows.from) {
    throw new RangeError(
      `plane has ${source.length} values, wanted ${columns.from} x ${rows.from}`,
    );
  }
  if (columns.stride === 2) {
    mixColumns(source, columns, scratch);
  } else {
    sumColumns(source, columns, scratch);
  }
  sumRows(scratch, rows, columns.to, target);
  return target;
}

/** Two source cells for each target cell, as every axis has that grows: without a loop inside the loop. */
function mixColumns(source: ArrayLike<number>, columns: AxisMap, across: Float32Array): void {
  const { from, to, first, weights } = columns;
  // Along an axis of one cell there is no second one: its weight is zero, and any cell will do.
  const step = from === 1 ? 0 : 1;
  for (let row = 0, place = 0; place < across.length; row += from) {
    for (let t = 0; t < to; t++, place++) {
      const start = row + at(first, t);
      across[place] =
        at(weights, 2 * t) * at(source, start) + at(weights, 2 * t + 1) * at(source, start + step);
    }
  }
}

function sumColumns(source: ArrayLike<number>, columns: AxisMap, across: Float32Array): void {
  const { from, to, first, count, weights, stride } = columns;
  for (let row = 0, place = 0; place < across.length; row += from) {
    for (let t = 0; t < to; t++, place++) {
      const start = row + at(first, t);
      const taps = at(count, t);
      let sum = 0;
      for (let i = 0; i < taps; i++) {
        sum += at(weights, t * stride + i) * at(source, start + i);
      }
      across[place] = sum;
    }
  }
}

/** Each target row is a weighted sum of source rows. */
function sumRows(across: Float32Array, rows: AxisMap, width: number, target: Float32Array): void {
  const sum = new Float64Array(width);
  for (let t = 0; t < rows.to; t++) {
    const start = at(rows.first, t) * width;
    const taps = at(rows.count, t);
    const firstWeight = at(rows.weights, t * rows.stride);
    if (taps === 2) {
      const secondWeight = at(rows.weights, t * rows.stride + 1);
      for (let x = 0; x < width; x++) {
        target[t * width + x] =
          firstWeight * at(across, start + x) + secondWeight * at(across, start + width + x);
      }
      continue;
    }
    for (let x = 0; x < width; x++) {
      sum[x] = firstWeight * at(across, start + x);
    }
    for (let i = 1; i < taps; i++) {
      const weight = at(rows.weights, t * rows.stride + i);
      const row = start + i * width;
      for (let x = 0; x < width; x++) {
        sum[x] = at(sum, x) + weight * at(across, row + x);
      }
    }
    target.set(sum, t * width);
  }
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number;
}
