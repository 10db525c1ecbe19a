import type { Scan } from '@consilium/imaging';
import { neighbour } from './draw-batch.ts';
import { fuse } from './fuse.ts';
import type { LesionModel } from './lesion-model.ts';
import { type Orientation, orientationOf, turn } from './orientation.ts';
import { type PreparedScan, prepareScan } from './prepare.ts';
import { axisMap, resizePlane } from './resize.ts';

/** Probabilities in [0, 1] on the scan's own grid, [depth][height][width]. */
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

interface Logits {
  readonly lung: Float32Array;
  readonly lesion: Float32Array;
}

/**
 * Reads a whole scan: every slice with its neighbours through the network, batch by batch, then fused along the scan's axis
 * and brought back to the scan's own grid.
 *
 * Several vectors of weights make an ensemble: the mean of their logits.
 *
 * @throws {ModelError} `SCAN_INVALID`, `LAYOUT_MISMATCH`.
 * @throws the signal's reason.
 */
export async function predict(
  model: LesionModel,
  weights: Float32Array | readonly Float32Array[],
  scan: Scan,
  options: PredictOptions = {},
): Promise<Prediction> {
  const members = weights instanceof Float32Array ? [weights] : weights;
  const prepared = prepareScan(scan, model.task);
  const mean: Logits = { lung: empty(prepared), lesion: empty(prepared) };
  const views = viewsOf(options.mirrored ?? false);
  for (const view of views) {
    const turned = { ...prepared, image: turnStack(prepared.image, prepared, view) };
    for (const member of members) {
      const seen = await readSlices(model, member, turned, options.signal);
      const share = 1 / (views.length * members.length);
      addInto(mean.lung, turnStack(seen.lung, prepared, view), share);
      addInto(mean.lesion, turnStack(seen.lesion, prepared, view), share);
    }
  }
  const lung = probabilities(fuse(mean.lung, prepared), prepared, scan);
  const lesionInLung = probabilities(fuse(mean.lesion, prepared), prepared, scan);
  const lesion = lesionInLung.map((value, i) => value * (lung[i] as number));
  return { lung, lesion, lesionInLung };
}

function viewsOf(mirrored: boolean): readonly Orientation[] {
  const asItIs = { mirrorX: false, mirrorY: false };
  return mirrored
    ? [
        asItIs,
        { mirrorX: true, mirrorY: false },
        { mirrorX: false, mirrorY: true },
        { mirrorX: true, mirrorY: true },
      ]
    : [asItIs];
}

/** The last batch is filled up with what the one before left there, so that the program's shape stays; its surplus is dropped. */
async function readSlices(
  model: LesionModel,
  weights: Float32Array,
  scan: PreparedScan,
  signal: AbortSignal | undefined,
): Promise<Logits> {
  const { slices } = model.task.network;
  const plane = scan.size * scan.size;
  const image = new Float32Array(model.readBatch * slices * plane);
  const result: Logits = { lung: empty(scan), lesion: empty(scan) };
  for (let first = 0; first < scan.depth; first += model.readBatch) {
    signal?.throwIfAborted();
    const count = Math.min(model.readBatch, scan.depth - first);
    for (let s = 0; s < count; s++) {
      for (let i = 0; i < slices; i++) {
        const z = neighbour(first + s, i, slices, scan.depth);
        image.set(scan.image.subarray(z * plane, (z + 1) * plane), (s * slices + i) * plane);
      }
    }
    const seen = await model.read(image, weights, signal);
    result.lung.set(seen.lung.subarray(0, count * plane), first * plane);
    result.lesion.set(seen.lesion.subarray(0, count * plane), first * plane);
  }
  return result;
}

function empty(scan: PreparedScan): Float32Array {
  return new Float32Array(scan.depth * scan.size * scan.size);
}

function turnStack(
  values: Float32Array,
  { size, depth }: PreparedScan,
  orientation: Orientation,
): Float32Array {
  const turned = values.slice();
  for (let z = 0; z < depth; z++) {
    turn(turned.subarray(z * size * size, (z + 1) * size * size), size, size, orientation);
  }
  return turned;
}

function addInto(sum: Float32Array, values: Float32Array, share: number): void {
  for (let i = 0; i < sum.length; i++) {
    sum[i] = (sum[i] as number) + share * (values[i] as number);
  }
}

/** Logits at the network's size, turned back and enlarged to the scan's grid, as probabilities. */
function probabilities(logits: Float32Array, from: PreparedScan, scan: Scan): Float32Array {
  const [width, height, depth] = scan.size;
  const columns = axisMap(from.size, width);
  const rows = axisMap(from.size, height);
  const inPlane = turnStack(logits, from, orientationOf(scan));
  const plane = from.size * from.size;
  const result = new Float32Array(width * height * depth);
  for (let z = 0; z < depth; z++) {
    const target = result.subarray(z * width * height, (z + 1) * width * height);
    resizePlane(inPlane.subarray(z * plane, (z + 1) * plane), columns, rows, target);
  }
  for (let i = 0; i < result.length; i++) {
    result[i] = 1 / (1 + Math.exp(-(result[i] as number)));
  }
  return result;
}
