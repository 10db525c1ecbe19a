import type { Scan } from '@consilium/imaging';
import { neighbour } from './draw-batch.ts';
import { fuse } from './fuse.ts';
import type { LesionModel } from './lesion-model.ts';
import { inputChannels } from './network.ts';
import { type PreparedScan, prepareScan } from './prepare.ts';
import { axisMap, resizePlane } from './resize.ts';

/** Probabilities in [0, 1] on the scan's own grid, [depth][height][width]. */
export interface Prediction {
  readonly lung: Float32Array;
  readonly lesion: Float32Array;
}

export interface PredictOptions {
  /** Averages with the prediction of the mirror image (left to right): twice the work. @default false */
  mirror?: boolean;
  signal?: AbortSignal;
  /** Called after each batch of slices. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * Reads a whole scan: every slice with its neighbours through the network, batch by batch, then fused along the scan's axis
 * and brought back to the scan's own grid.
 *
 * Several vectors of weights make an ensemble: the mean of their probabilities.
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
  const views = options.mirror ? [false, true] : [false];
  const sum = { lung: empty(prepared), lesion: empty(prepared) };
  const total = members.length * views.length;
  for (const [m, member] of members.entries()) {
    for (const [v, mirrored] of views.entries()) {
      const view = mirrored ? mirror(prepared) : prepared;
      const seen = await readSlices(model, member, view, options.signal, (share) =>
        options.onProgress?.(
          Math.round((m * views.length + v + share) * prepared.depth),
          total * prepared.depth,
        ),
      );
      addInto(sum.lung, seen.lung, prepared.size, mirrored, 1 / total);
      addInto(sum.lesion, seen.lesion, prepared.size, mirrored, 1 / total);
    }
  }
  return {
    lung: backToGrid(fuse(sum.lung, prepared), prepared, scan),
    lesion: backToGrid(fuse(sum.lesion, prepared), prepared, scan),
  };
}

/** Both passes where the network has a lung channel: the first without, the second with the lung that the first one found. */
async function readSlices(
  model: LesionModel,
  weights: Float32Array,
  scan: PreparedScan,
  signal: AbortSignal | undefined,
  onShare: (share: number) => void,
): Promise<Prediction> {
  if (!model.task.network.lungInput) {
    return await readPass(model, weights, scan, null, signal, onShare);
  }
  const first = await readPass(model, weights, scan, null, signal, (share) => onShare(share / 2));
  const second = await readPass(model, weights, scan, first.lung, signal, (share) =>
    onShare(0.5 + share / 2),
  );
  return { lung: first.lung, lesion: second.lesion };
}

async function readPass(
  model: LesionModel,
  weights: Float32Array,
  scan: PreparedScan,
  lung: Float32Array | null,
  signal: AbortSignal | undefined,
  onShare: (share: number) => void,
): Promise<Prediction> {
  const { network } = model.task;
  const plane = scan.size * scan.size;
  const channels = inputChannels(network);
  const batch = model.readBatch;
  const image = new Float32Array(batch * channels * plane);
  const result = { lung: empty(scan), lesion: empty(scan) };
  for (let first = 0; first < scan.depth; first += batch) {
    signal?.throwIfAborted();
    const count = Math.min(batch, scan.depth - first);
    image.fill(0);
    for (let s = 0; s < count; s++) {
      const sample = image.subarray(s * channels * plane, (s + 1) * channels * plane);
      for (let i = 0; i < network.slices; i++) {
        const z = neighbour(first + s, i, network.slices, scan.depth);
        sample.set(scan.image.subarray(z * plane, (z + 1) * plane), i * plane);
      }
      if (lung !== null) {
        const z = first + s;
        sample.set(lung.subarray(z * plane, (z + 1) * plane), network.slices * plane);
      }
    }
    const seen = await model.read(image, weights, signal);
    result.lung.set(seen.lung.subarray(0, count * plane), first * plane);
    result.lesion.set(seen.lesion.subarray(0, count * plane), first * plane);
    onShare((first + count) / scan.depth);
  }
  return result;
}

function empty(scan: PreparedScan): Float32Array {
  return new Float32Array(scan.depth * scan.size * scan.size);
}

function mirror(scan: PreparedScan): PreparedScan {
  const image = new Float32Array(scan.image.length);
  addInto(image, scan.image, scan.size, true, 1);
  return { ...scan, image };
}

function addInto(
  sum: Float32Array,
  values: Float32Array,
  size: number,
  mirrored: boolean,
  factor: number,
): void {
  for (let row = 0; row < sum.length; row += size) {
    for (let x = 0; x < size; x++) {
      const from = row + (mirrored ? size - 1 - x : x);
      sum[row + x] = (sum[row + x] as number) + factor * (values[from] as number);
    }
  }
}

function backToGrid(values: Float32Array, from: PreparedScan, scan: Scan): Float32Array {
  const [width, height, depth] = scan.size;
  const columns = axisMap(from.size, width);
  const rows = axisMap(from.size, height);
  const plane = from.size * from.size;
  const result = new Float32Array(width * height * depth);
  for (let z = 0; z < depth; z++) {
    const target = result.subarray(z * width * height, (z + 1) * width * height);
    resizePlane(values.subarray(z * plane, (z + 1) * plane), columns, rows, target);
  }
  return result;
}
