import { readFile } from 'node:fs/promises';
import { compileReader, createOnnxEngine } from '@consilium/compute';
import { decodePngSlice, encodePng, renderSlice, type Scan, windows } from '@consilium/imaging';
import { generatePatient } from '@consilium/imaging/phantom';
import {
  createLesionModel,
  decodePretrained,
  defaultTask,
  forwardGraph,
  predictSlices,
  prepareScan,
  pretrainedFile,
} from '@consilium/model';

/** Milliseconds for one scan by the clock: the whole way from encoded slices to probabilities, and its parts one by one. */
export interface WayTime {
  readonly whole: number;
  readonly cpu: number;
  readonly decode: number;
  readonly prepare: number;
  readonly network: number;
}

/** The whole way of one scan of `slices` PNG slices of `size`², in memory, through the pre-trained network that reads real scans. */
export async function createWholeWay(
  size: number,
  slices: number,
  threads: number,
  seed: number,
): Promise<{ run(): Promise<WayTime>; close(): Promise<void> }> {
  const encoded = encodedScan(size, slices, seed);
  const engine = createOnnxEngine({ threads });
  const model = createLesionModel(engine, defaultTask);
  const file = pretrainedFile(defaultTask.network);
  if (file === null) throw new Error('the default network has no weights');
  const weights = decodePretrained(defaultTask.network, await readFile(file));
  const graph = forwardGraph(defaultTask.network, model.readBatch);
  const reader = await compileReader(engine, graph, weights);
  const pixels = model.readBatch * defaultTask.network.slices * defaultTask.network.size ** 2;
  return {
    async run() {
      const start = performance.now();
      const startCpu = process.cpuUsage();
      let marked = 0;
      for await (const { lesion } of predictSlices(model, weights, decoded(encoded, size))) {
        for (const value of lesion) marked += value >= 0.25 ? 1 : 0;
      }
      const whole = performance.now() - start;
      const { user, system } = process.cpuUsage(startCpu);
      if (marked === 0) throw new Error('the reading of a generated patient with lesions is empty');

      const beforeDecode = performance.now();
      const scan = decoded(encoded, size);
      const beforePrepare = performance.now();
      prepareScan(scan, defaultTask);
      const beforeNetwork = performance.now();
      const image = new Float32Array(pixels);
      for (let first = 0; first < slices; first += model.readBatch) await reader.run({ image });
      return {
        whole,
        cpu: (user + system) / 1000,
        decode: beforePrepare - beforeDecode,
        prepare: beforeNetwork - beforePrepare,
        network: performance.now() - beforeNetwork,
      };
    },
    close: () => engine.close(),
  };
}

/** A generated patient's slices as PNG; a few are made, and they repeat, as making them takes longer than reading. */
function encodedScan(size: number, slices: number, seed: number): readonly Uint8Array[] {
  const made = 12;
  const { scan } = generatePatient({
    seed,
    profile: 'hospital-a',
    condition: { kind: 'covid', day: 11 },
    size: [size, size, made],
  });
  const pngs = Array.from({ length: made }, (_, z) => {
    const { width, height, pixels } = renderSlice(scan, z, windows.lung);
    const grey = pixels.filter((_value, i) => i % 3 === 0);
    return encodePng({ width, height, channels: 1, pixels: grey });
  });
  return Array.from({ length: slices }, (_, z) => {
    const back = z % (2 * made - 2);
    return pngs[back < made ? back : 2 * made - 2 - back] as Uint8Array;
  });
}

function decoded(encoded: readonly Uint8Array[], size: number): Scan {
  const plane = size * size;
  const voxels = new Float32Array(encoded.length * plane);
  for (const [z, bytes] of encoded.entries()) {
    voxels.set(decodePngSlice(bytes, `slice ${z}`).pixels, z * plane);
  }
  return {
    voxels,
    size: [size, size, encoded.length],
    spacingMm: null,
    affine: null,
    intensity: 'display',
  };
}
