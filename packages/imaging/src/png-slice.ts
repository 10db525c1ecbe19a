import { decode } from 'fast-png';
import { ImagingError } from './error.ts';

/** One greyscale slice, row by row, 0..255. */
export interface PngSlice {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** The widest and highest slice that is read: beyond it a header is taken to be damaged. */
const maxSlicePixelsPerSide = 4096;

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * Reads an 8-bit greyscale PNG. `file` is only used to name the file in errors.
 *
 * Every chunk's CRC-32 is checked, and the picture must fill its declared size exactly.
 *
 * @throws {ImagingError} `IMAGE_FORMAT`, `TRUNCATED_IMAGE`, `CORRUPT_IMAGE`.
 * @see Portable Network Graphics (PNG) Specification, third edition, 5 (datastream structure) and 11.2.2 (IHDR)
 */
export function decodePngSlice(bytes: Uint8Array, file: string): PngSlice {
  const { width, height } = checkStructure(bytes, file);
  let data: ArrayLike<number>;
  try {
    data = decode(bytes, { checkCrc: true }).data;
  } catch (cause) {
    throw new ImagingError('CORRUPT_IMAGE', `${file}: damaged PNG, ${reason(cause)}`, { cause });
  }
  if (!(data instanceof Uint8Array) || data.length !== width * height) {
    throw new ImagingError(
      'TRUNCATED_IMAGE',
      `${file}: holds ${data.length} pixels instead of ${width}×${height}`,
    );
  }
  return { width, height, pixels: data };
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** Walks the chunks, so that a file that ends early is told apart from one that is damaged. */
function checkStructure(bytes: Uint8Array, file: string): { width: number; height: number } {
  if (signature.some((byte, i) => i < bytes.length && bytes[i] !== byte)) {
    throw new ImagingError('IMAGE_FORMAT', `${file}: not a PNG`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const truncated = (): ImagingError =>
    new ImagingError(
      'TRUNCATED_IMAGE',
      `${file}: ends after ${bytes.length} bytes, before its end mark`,
    );
  // Signature, then IHDR: length, type, 13 bytes, CRC.
  if (bytes.length < 33) throw truncated();
  if (chunkType(bytes, 12) !== 'IHDR' || view.getUint32(8) !== 13) {
    throw new ImagingError('CORRUPT_IMAGE', `${file}: damaged PNG, does not begin with its header`);
  }
  const header = {
    width: view.getUint32(16),
    height: view.getUint32(20),
    bitDepth: view.getUint8(24),
    colorType: view.getUint8(25),
    interlace: view.getUint8(28),
  };
  for (let offset = 8; ; ) {
    if (offset + 12 > bytes.length) throw truncated();
    const length = view.getUint32(offset);
    if (offset + 12 + length > bytes.length) throw truncated();
    if (chunkType(bytes, offset + 4) === 'IEND') break;
    offset += 12 + length;
  }
  checkHeader(header, file);
  return header;
}

function checkHeader(
  header: { width: number; height: number; bitDepth: number; colorType: number; interlace: number },
  file: string,
): void {
  const { width, height, bitDepth, colorType, interlace } = header;
  const side = maxSlicePixelsPerSide;
  if (!(width >= 1 && height >= 1 && width <= side && height <= side)) {
    throw new ImagingError(
      'IMAGE_FORMAT',
      `${file}: is ${width}×${height} pixels, wanted 1 to ${side} a side`,
    );
  }
  if (bitDepth !== 8 || colorType !== 0 || interlace !== 0) {
    throw new ImagingError(
      'IMAGE_FORMAT',
      `${file}: wanted 8-bit greyscale without interlacing, got ${bitDepth} bits, colour type ${colorType}, interlacing ${interlace}`,
    );
  }
}

function chunkType(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}
