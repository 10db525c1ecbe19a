import { decodePngSlice, encodePng, type Scan } from '@consilium/imaging';
import {
  createLesionModel,
  defaultTask,
  initialWeights,
  type LesionModel,
  predict,
  prepareScan,
} from '@consilium/model';
import { type EngineChoice, openEngine } from './kit-engine.ts';
import { createUniform } from './unet-step.ts';

export interface ReadingSettings extends EngineChoice {
  readonly slices: number;
  /** Side of the slices as they are stored, and of the planes that the network sees. */
  readonly storedSize: number;
  readonly size: number;
  readonly batch: number;
}

/** Where the time between a scan's encoded bytes and its probabilities goes, in milliseconds. */
export interface ReadingRow {
  readonly slices: number;
  readonly storedSize: number;
  readonly size: number;
  readonly batch: number;
  readonly decodeMs: number;
  readonly prepareMs: number;
  /** From a batch's start to its end, summed; other work goes on meanwhile. */
  readonly modelMs: number;
  /** All of it, to probabilities on the scan's own grid. The steps overlap, so this is not their sum. */
  readonly totalMs: number;
}

/** Reads one scan from PNG slices in memory, by the very functions that a hospital's node uses; the second of two readings counts. */
export async function readingPart(
  settings: ReadingSettings,
  say: (row: ReadingRow) => void,
): Promise<void> {
  const { slices, storedSize, size, batch } = settings;
  const task = { ...defaultTask, network: { ...defaultTask.network, size } };
  const weights = initialWeights(task.network, 1);
  const model = createLesionModel(await openEngine(settings), task, { readBatch: batch });
  const files = drawFiles(slices, storedSize);
  let modelMs = 0;
  const watched: LesionModel = {
    ...model,
    readers: async (members) =>
      (await model.readers(members)).map((reader) => ({
        read: async (image, signal) => {
          const began = performance.now();
          const seen = await reader.read(image, signal);
          modelMs += performance.now() - began;
          return seen;
        },
      })),
  };
  // Compiles the shaders and warms the decoder; a node does both once and not for each scan.
  await predict(watched, weights, decodeScan(files.slice(0, batch), storedSize));
  modelMs = 0;
  const began = performance.now();
  const scan = decodeScan(files, storedSize);
  const decodeMs = performance.now() - began;
  await predict(watched, weights, scan);
  const totalMs = performance.now() - began;
  const beganToPrepare = performance.now();
  prepareScan(scan, task); // predict does the same inside; here it is timed alone
  const prepareMs = performance.now() - beganToPrepare;
  say({ slices, storedSize, size, batch, decodeMs, prepareMs, modelMs, totalMs });
  await model.close();
}

function decodeScan(files: readonly Uint8Array[], side: number): Scan {
  const voxels = new Float32Array(files.length * side * side);
  for (const [z, file] of files.entries()) {
    voxels.set(decodePngSlice(file, `slice ${z}`).pixels, z * side * side);
  }
  const size = [side, side, files.length] as const;
  return { voxels, size, spacingMm: null, affine: null, intensity: 'display' };
}

/** Eight different pictures in turn: two dark lungs in a bright body, with the noise of a CT, which is what makes PNG slow. */
function drawFiles(slices: number, side: number): Uint8Array[] {
  const random = createUniform(17);
  const pictures = Array.from({ length: Math.min(8, slices) }, (_, picture) => {
    const pixels = new Uint8Array(side * side);
    for (let i = 0; i < pixels.length; i++) {
      const x = (i % side) / side - 0.5;
      const y = Math.floor(i / side) / side - 0.5;
      const inBody = (x / 0.45) ** 2 + (y / 0.35) ** 2 < 1;
      const inLung = ((Math.abs(x) - 0.2) / 0.14) ** 2 + (y / (0.2 + picture / 100)) ** 2 < 1;
      pixels[i] = (inBody ? (inLung ? 60 : 180) : 5) + 12 * random();
    }
    return encodePng({ width: side, height: side, channels: 1, pixels });
  });
  return Array.from(
    { length: slices },
    (_, z) => pictures[z % pictures.length] ?? new Uint8Array(),
  );
}
