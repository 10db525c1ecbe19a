import type { Scan } from '@consilium/imaging';
import { fuse } from './fuse.ts';
import type { LesionModel } from './lesion-model.ts';
import { orientationOf, turn } from './orientation.ts';
import { prepareScan } from './prepare.ts';
import { readScan } from './read-scan.ts';
import { type AxisMap, axisMap, resizePlane } from './resize.ts';
import { sigmoidInPlace } from './sigmoid.ts';

/** Probabilities in [0, 1] on the scan's own grid, [depth][height][width]; of one slice, [height][width]. */
export interface Prediction {
  readonly lung: Float32Array;
  /** The probability that the place is lung and diseased: `lung` · `lesionInLung`. */
  readonly lesion: Float32Array;
  /** The probability of lesion *if the place is lung*; arbitrary outside the lung. For measuring against a known lung. */
  readonly lesionInLung: Float32Array;
}

export interface PredictOptions {
  /** Averages the logits of the scan and its three mirror images (x, y, both): four times the work. @default false */
  mirrored?: boolean;
  signal?: AbortSignal;
}

/**
 * The `lesion` probability from which a place is read as lesion. Below ½, since dense lesions are where the network doubts the lung:
 * on generated and on real patients the best Dice lies between 0.15 and 0.4.
 */
export const readingThreshold = 0.25;

/**
 * Reads a whole scan: every slice with its neighbours through the network, batch by batch, then fused along the scan's axis
 * and brought back to the scan's own grid.
 *
 * Several vectors of weights make an ensemble: the mean of their logits.
 *
 * @throws {ModelError} `SCAN_INVALID`, `LAYOUT_MISMATCH`.
 * @throws the signal's reason. Nothing is still running then.
 */
export async function predict(
  model: LesionModel,
  weights: Float32Array | readonly Float32Array[],
  scan: Scan,
  options: PredictOptions = {},
): Promise<Prediction> {
  const whole = emptyPrediction(scan.voxels.length);
  const [width, height] = scan.size;
  const plane = width * height;
  const placeOf = (slice: number): Prediction => {
    const part = (values: Float32Array): Float32Array =>
      values.subarray(slice * plane, (slice + 1) * plane);
    return {
      lung: part(whole.lung),
      lesion: part(whole.lesion),
      lesionInLung: part(whole.lesionInLung),
    };
  };
  for await (const _ of predictInto(model, weights, scan, placeOf, options)) {
    // Written in place.
  }
  return whole;
}

/**
 * {@link predict} slice by slice, in the scan's order, for who does not want to hold the whole: beside the scan, memory is that of its planes at
 * the network's size and of a few slices. A slice is given out while later ones are computed; it may be left early. All are given out in the same arrays:
 * one that is to be kept beyond its turn has to be copied.
 */
export function predictSlices(
  model: LesionModel,
  weights: Float32Array | readonly Float32Array[],
  scan: Scan,
  options: PredictOptions = {},
): AsyncGenerator<Prediction, void, void> {
  const [width, height] = scan.size;
  const place = emptyPrediction(width * height);
  return predictInto(model, weights, scan, () => place, options);
}

async function* predictInto(
  model: LesionModel,
  weights: Float32Array | readonly Float32Array[],
  scan: Scan,
  placeOf: (slice: number) => Prediction,
  { mirrored = false, signal }: PredictOptions,
): AsyncGenerator<Prediction, void, void> {
  signal?.throwIfAborted();
  const prepared = prepareScan(scan, model.task);
  const members = await model.readers(weights instanceof Float32Array ? [weights] : weights);
  const readers = { members, batch: model.readBatch, slices: model.task.network.slices };
  const enlarge = createEnlargement(prepared.size, scan);
  const plane = prepared.size * prepared.size;
  let slice = 0;
  for await (const logits of fuse(readScan(readers, prepared, { mirrored, signal }))) {
    // A turn of the event loop: the batch that was just asked for is on its way, and an abort is heard.
    await new Promise<void>((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    const place = placeOf(slice);
    enlarge(logits.subarray(0, plane), place.lung);
    enlarge(logits.subarray(plane), place.lesionInLung);
    multiply(place.lung, place.lesionInLung, place.lesion);
    yield place;
    slice += 1;
  }
}

function emptyPrediction(voxels: number): Prediction {
  return {
    lung: new Float32Array(voxels),
    lesion: new Float32Array(voxels),
    lesionInLung: new Float32Array(voxels),
  };
}

/** Turns a plane of logits back, in place, and writes it to a plane of the scan's grid as probabilities. */
function createEnlargement(
  size: number,
  scan: Scan,
): (logits: Float32Array, target: Float32Array) => void {
  const [width, height] = scan.size;
  const columns: AxisMap = axisMap(size, width);
  const rows: AxisMap = axisMap(size, height);
  const orientation = orientationOf(scan);
  const scratch = new Float32Array(size * width);
  return (logits, target) => {
    turn(logits, size, size, orientation);
    sigmoidInPlace(resizePlane(logits, columns, rows, target, scratch));
  };
}

function multiply(a: Float32Array, b: Float32Array, product: Float32Array): void {
  for (let i = 0; i < product.length; i++) {
    product[i] = (a[i] as number) * (b[i] as number);
  }
}
