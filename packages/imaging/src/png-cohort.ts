import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ImagingError } from './error.ts';
import { decodePngSlice, type PngSlice } from './png-slice.ts';
import type { Mask, Patient, Scan, Size } from './scan.ts';
import { parseSliceIndex } from './slice-index.ts';

export interface ReadPngCohortOptions {
  /** Which patients, in this order. @default all, in the order of the index */
  patients?: readonly string[];
  /**
   * The patients whose slices are stored with the top row at the bottom, as the person who knows
   * the data declares it. They are turned over, image and masks, and carry the correction
   * `flipped-top-to-bottom`. Whether a slice is upside down is never guessed from its content.
   * @default none
   */
  flippedTopToBottom?: readonly string[];
  signal?: AbortSignal;
}

/**
 * Reads a folder of PNG slices, one patient at a time:
 *
 *     slice_index.csv      slice,case
 *     ct/<slice>.png       8-bit grey image
 *     lungs/<slice>.png    lung mask, 0 or 255
 *     covid/<slice>.png    lesion mask, 0 or 255
 *
 * Slices are stacked in the order of the index. An 8-bit export has lost HU and geometry, so
 * `intensity` is `display` and `spacingMm` and `affine` are `null`.
 *
 * The folder, the index and the names asked for are checked before the first patient is given out.
 *
 * @throws {ImagingError} any of its codes; the message names the file.
 * @throws the signal's reason, when it is aborted.
 */
export async function* readPngCohort(
  folder: string,
  options: ReadPngCohortOptions = {},
): AsyncGenerator<Patient, void, void> {
  const index = await openPngCohort(folder, options.signal);
  const wanted = options.patients ?? [...index.keys()];
  for (const id of [...wanted, ...(options.flippedTopToBottom ?? [])]) {
    if (!index.has(id)) {
      throw new ImagingError('UNKNOWN_PATIENT', `${indexFile(folder)}: names no patient ${id}`);
    }
  }
  for (const id of wanted) {
    const flipped = options.flippedTopToBottom?.includes(id) ?? false;
    yield await readPatient(folder, id, index.get(id) ?? [], flipped, options.signal);
  }
}

/**
 * Checks that `folder` is a cohort and returns its index: patient → slices, without reading images.
 *
 * @throws {ImagingError} `MISSING_FOLDER`, `MISSING_INDEX`, `BAD_INDEX`.
 */
export async function openPngCohort(
  folder: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, readonly string[]>> {
  for (const part of ['', 'ct', 'lungs', 'covid']) {
    const path = join(folder, part);
    const entry = await stat(path).catch(ifMissing('MISSING_FOLDER', `${path}: no such folder`));
    if (!entry.isDirectory()) throw new ImagingError('MISSING_FOLDER', `${path}: not a folder`);
  }
  const path = indexFile(folder);
  const text = await readFile(path, { encoding: 'utf8', ...(signal && { signal }) }).catch(
    ifMissing('MISSING_INDEX', `${path}: no such file`, signal),
  );
  return parseSliceIndex(text, path);
}

function indexFile(folder: string): string {
  return join(folder, 'slice_index.csv');
}

async function readPatient(
  folder: string,
  id: string,
  slices: readonly string[],
  flipped: boolean,
  signal: AbortSignal | undefined,
): Promise<Patient> {
  const read = async (part: string, slice: string): Promise<PngSlice & { file: string }> => {
    const file = join(folder, part, `${slice}.png`);
    const bytes = await readFile(file, signal && { signal }).catch(
      ifMissing('MISSING_SLICE', `${file}: no such file, but the index names it for ${id}`, signal),
    );
    return { ...decodePngSlice(bytes, file), file };
  };
  let stack: Stack | undefined;
  for (const [z, slice] of slices.entries()) {
    signal?.throwIfAborted();
    const ct = await read('ct', slice);
    stack ??= createStack(ct.width, ct.height, slices.length);
    const [width, height] = stack.scan.size;
    if (ct.width !== width || ct.height !== height) {
      throw new ImagingError(
        'SLICE_SIZE',
        `${ct.file}: is ${ct.width}×${ct.height}, the slices of ${id} before it are ${width}×${height}`,
      );
    }
    putRows(stack.scan.voxels, ct, z, flipped, 1);
    for (const [part, mask] of [
      ['lungs', stack.lung],
      ['covid', stack.lesion],
    ] as const) {
      const stored = await read(part, slice);
      checkMask(stored, ct, stored.file);
      putRows(mask.voxels, stored, z, flipped, 255);
    }
  }
  if (stack === undefined) throw new RangeError(`patient ${id} has no slices`);
  return { id, ...stack, ...(flipped && { corrections: ['flipped-top-to-bottom'] as const }) };
}

interface Stack {
  scan: Scan;
  lung: Mask;
  lesion: Mask;
}

function createStack(width: number, height: number, depth: number): Stack {
  const size: Size = [width, height, depth];
  const count = width * height * depth;
  const voxels = new Float32Array(count);
  return {
    scan: { voxels, size, spacingMm: null, affine: null, intensity: 'display' },
    lung: { voxels: new Uint8Array(count), size },
    lesion: { voxels: new Uint8Array(count), size },
  };
}

function checkMask(mask: PngSlice, image: PngSlice, file: string): void {
  if (mask.width !== image.width || mask.height !== image.height) {
    throw new ImagingError(
      'MASK_SIZE',
      `${file}: is ${mask.width}×${mask.height}, its image is ${image.width}×${image.height}`,
    );
  }
  const odd = mask.pixels.find((value) => value !== 0 && value !== 255);
  if (odd !== undefined) {
    throw new ImagingError('MASK_VALUE', `${file}: a mask holds 0 and 255 only, got ${odd}`);
  }
}

function putRows(
  target: Float32Array | Uint8Array,
  { width, height, pixels }: PngSlice,
  z: number,
  flipped: boolean,
  divisor: number,
): void {
  for (let y = 0; y < height; y++) {
    const from = (flipped ? height - 1 - y : y) * width;
    const to = (z * height + y) * width;
    for (let x = 0; x < width; x++) target[to + x] = (pixels[from + x] ?? 0) / divisor;
  }
}

/** Turns "no such file" into an `ImagingError`; an aborted read ends with the signal's reason, and any other failure (no permission) stays what it is. */
function ifMissing(
  code: 'MISSING_FOLDER' | 'MISSING_INDEX' | 'MISSING_SLICE',
  message: string,
  signal?: AbortSignal,
): (cause: unknown) => never {
  return (cause) => {
    signal?.throwIfAborted();
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      throw new ImagingError(code, message, { cause });
    }
    throw cause;
  };
}
