import { neighbour } from './draw-batch.ts';
import { type Orientation, turn } from './orientation.ts';
import type { PreparedScan } from './prepare.ts';
import type { SliceReader } from './slice-readers.ts';

export interface ReadScanOptions {
  /** Averages over the scan and its three mirror images. */
  readonly mirrored: boolean;
  readonly signal: AbortSignal | undefined;
}

/** What reads: the members of an ensemble, and how many slices, of how many planes each, one call takes. */
export interface ScanReaders {
  readonly members: readonly SliceReader[];
  readonly batch: number;
  readonly slices: number;
}

/**
 * The logits of every slice of a scan in order, each [2][size][size], lung and then lesion: the mean over the members and, where asked for, the
 * mirror images. The arrays are the caller's.
 *
 * While the caller is at the slices of one batch, the next one is computed. Whether it ends, fails, or is left early, nothing is still running then.
 *
 * @throws the signal's reason, between two batches.
 */
export async function* readScan(
  readers: ScanReaders,
  scan: PreparedScan,
  options: ReadScanOptions,
): AsyncGenerator<Float32Array, void, void> {
  const plane = scan.size * scan.size;
  const image = new Float32Array(readers.batch * readers.slices * plane);
  const start = (first: number): Promise<Float32Array[]> => {
    const batch = readBatch(readers, scan, image, first, options);
    batch.catch(ignore); // Whoever waits for it gets the error; until then nobody does.
    return batch;
  };
  let next = start(0);
  try {
    for (let first = 0; first < scan.depth; first += readers.batch) {
      const logits = await next;
      if (first + readers.batch < scan.depth) {
        next = start(first + readers.batch);
      }
      yield* logits;
    }
  } finally {
    await next.catch(ignore);
  }
}

/** The last batch is filled up with what the one before left there, so that the shape stays; its surplus is dropped. */
async function readBatch(
  readers: ScanReaders,
  scan: PreparedScan,
  image: Float32Array,
  first: number,
  { mirrored, signal }: ReadScanOptions,
): Promise<Float32Array[]> {
  const plane = scan.size * scan.size;
  const count = Math.min(readers.batch, scan.depth - first);
  const logits = Array.from({ length: count }, () => new Float32Array(2 * plane));
  const views = mirrored ? mirrorImages : mirrorImages.slice(0, 1);
  const share = 1 / (views.length * readers.members.length);
  for (const view of views) {
    fillBatch(readers, scan, image, first, count, view);
    for (const member of readers.members) {
      signal?.throwIfAborted();
      const seen = await member.read(image, signal);
      for (const [i, sum] of logits.entries()) {
        addTurned(sum.subarray(0, plane), planeOf(seen.lung, i, plane), scan.size, view, share);
        addTurned(sum.subarray(plane), planeOf(seen.lesion, i, plane), scan.size, view, share);
      }
    }
  }
  return logits;
}

const mirrorImages: readonly Orientation[] = [
  { mirrorX: false, mirrorY: false },
  { mirrorX: true, mirrorY: false },
  { mirrorX: false, mirrorY: true },
  { mirrorX: true, mirrorY: true },
];

function fillBatch(
  { slices }: ScanReaders,
  scan: PreparedScan,
  image: Float32Array,
  first: number,
  count: number,
  view: Orientation,
): void {
  const plane = scan.size * scan.size;
  for (let s = 0; s < count; s++) {
    for (let i = 0; i < slices; i++) {
      const z = neighbour(first + s, i, slices, scan.depth);
      const place = planeOf(image, s * slices + i, plane);
      place.set(planeOf(scan.image, z, plane));
      turn(place, scan.size, scan.size, view);
    }
  }
}

function addTurned(
  sum: Float32Array,
  values: Float32Array,
  size: number,
  view: Orientation,
  share: number,
): void {
  turn(values, size, size, view);
  for (let i = 0; i < sum.length; i++) {
    sum[i] = (sum[i] as number) + share * (values[i] as number);
  }
}

function planeOf(planes: Float32Array, index: number, plane: number): Float32Array {
  return planes.subarray(index * plane, (index + 1) * plane);
}

function ignore(): void {}
