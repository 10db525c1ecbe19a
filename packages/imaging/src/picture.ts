import { encode } from 'fast-png';
import { drawText, textHeight, textWidth } from './lettering.ts';
import { type Mask, type Scan, sameSize } from './scan.ts';

/** An 8-bit picture for people, row by row, top row first: grey (1 channel) or RGB (3 channels). */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** `width * height * channels` bytes. */
  readonly pixels: Uint8Array;
}

/** Which intensities are shown: everything at or below `centre - width / 2` is black, at or above `centre + width / 2` white. */
export interface Window {
  readonly centre: number;
  readonly width: number;
}

/** The windows radiologists use for the lung and for the mediastinum (HU), and the whole range of an 8-bit export. */
export const windows: {
  readonly lung: Window;
  readonly mediastinum: Window;
  readonly display: Window;
} = {
  lung: { centre: -600, width: 1500 },
  mediastinum: { centre: 40, width: 400 },
  display: { centre: 127.5, width: 255 },
};

export type Colour = readonly [red: number, green: number, blue: number];

/** A mask whose outline is drawn over a slice. */
export interface Overlay {
  readonly mask: Mask;
  readonly colour: Colour;
}

/**
 * One axial slice as an RGB picture, a voxel a pixel, rows as they are stored, with the outlines of
 * the overlays on it; later overlays lie over earlier ones. An outline runs along the mask's own border voxels.
 *
 * @throws {RangeError} when there is no slice `z`, or an overlay differs in size from the scan.
 */
export function renderSlice(
  scan: Scan,
  z: number,
  window: Window,
  overlays: readonly Overlay[] = [],
): Picture {
  const [width, height, depth] = scan.size;
  if (!(Number.isInteger(z) && z >= 0 && z < depth)) {
    throw new RangeError(`slice must be 0..${depth - 1}, got ${z}`);
  }
  const plane = width * height;
  const pixels = new Uint8Array(plane * 3);
  for (let at = 0; at < plane; at++) {
    pixels.fill(greyOf(scan.voxels[z * plane + at] ?? 0, window), at * 3, at * 3 + 3);
  }
  for (const { mask, colour } of overlays) {
    if (!sameSize(mask.size, scan.size)) {
      throw new RangeError(`overlay is ${mask.size.join('×')}, scan is ${scan.size.join('×')}`);
    }
    const slice = mask.voxels.subarray(z * plane, (z + 1) * plane);
    for (let at = 0; at < plane; at++) {
      if (isBorder(slice, at, width, height)) pixels.set(colour, at * 3);
    }
  }
  return { width, height, channels: 3, pixels };
}

function greyOf(value: number, window: Window): number {
  const share = (value - window.centre) / window.width + 0.5;
  return Math.round(255 * Math.min(1, Math.max(0, share)));
}

function isBorder(slice: Uint8Array, at: number, width: number, height: number): boolean {
  if (slice[at] === 0) return false;
  const x = at % width;
  const y = Math.floor(at / width);
  if (x === 0 || y === 0 || x === width - 1 || y === height - 1) return true;
  return !(slice[at - 1] && slice[at + 1] && slice[at - width] && slice[at + width]);
}

/** Enlarges a picture by a whole number, each pixel becoming a square. */
export function enlarge(picture: Picture, times: number): Picture {
  if (!(Number.isInteger(times) && times >= 1)) {
    throw new RangeError(`times must be a whole number from 1, got ${times}`);
  }
  const width = picture.width * times;
  const height = picture.height * times;
  const pixels = new Uint8Array(width * height * picture.channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from =
        (Math.floor(y / times) * picture.width + Math.floor(x / times)) * picture.channels;
      const to = (y * width + x) * picture.channels;
      for (let c = 0; c < picture.channels; c++) pixels[to + c] = picture.pixels[from + c] ?? 0;
    }
  }
  return { width, height, channels: picture.channels, pixels };
}

/** A picture of a montage, with a line of text above it. */
export interface Tile {
  readonly picture: Picture;
  /** Letters, digits and a little punctuation; what does not fit is cut off. */
  readonly label: string;
}

const gap = 6;

/**
 * Pictures side by side in rows of `columns`, each with its label above it, on black.
 *
 * @throws {RangeError} without tiles, or when `columns` is not a whole number from 1.
 */
export function montage(tiles: readonly Tile[], columns: number): Picture {
  if (tiles.length === 0) throw new RangeError('a montage needs at least one picture');
  if (!(Number.isInteger(columns) && columns >= 1)) {
    throw new RangeError(`columns must be a whole number from 1, got ${columns}`);
  }
  const cellWidth = Math.max(...tiles.map((tile) => tile.picture.width)) + gap;
  const cellHeight = Math.max(...tiles.map((tile) => tile.picture.height)) + gap + textHeight + 2;
  const width = Math.min(columns, tiles.length) * cellWidth + gap;
  const height = Math.ceil(tiles.length / columns) * cellHeight + gap;
  const pixels = new Uint8Array(width * height * 3);
  for (const [i, { picture, label }] of tiles.entries()) {
    const left = gap + (i % columns) * cellWidth;
    const top = gap + Math.floor(i / columns) * cellHeight;
    const room = Math.max(1, Math.floor((cellWidth - gap) / textWidth('M')));
    drawText({ pixels, width, height }, label.slice(0, room), left, top);
    place(picture, pixels, width, left, top + textHeight + 2);
  }
  return { width, height, channels: 3, pixels };
}

function place(
  picture: Picture,
  target: Uint8Array,
  width: number,
  left: number,
  top: number,
): void {
  const { channels } = picture;
  for (let y = 0; y < picture.height; y++) {
    for (let x = 0; x < picture.width; x++) {
      const from = (y * picture.width + x) * channels;
      const to = ((top + y) * width + left + x) * 3;
      for (let c = 0; c < 3; c++)
        target[to + c] = picture.pixels[from + (channels === 3 ? c : 0)] ?? 0;
    }
  }
}

/** The picture as a PNG file's bytes. */
export function encodePng(picture: Picture): Uint8Array {
  return encode({
    width: picture.width,
    height: picture.height,
    channels: picture.channels,
    depth: 8,
    data: picture.pixels,
  });
}
