import { decode } from 'fast-png';
import { expect, test } from 'vitest';
import { encodePng, enlarge, montage, type Picture, renderSlice } from './picture.ts';
import type { Mask, Scan } from './scan.ts';

const scan: Scan = {
  voxels: Float32Array.from({ length: 50 }, (_, i) => (i < 25 ? -3024 : i - 25)),
  size: [5, 5, 2],
  spacingMm: null,
  affine: null,
  intensity: 'hounsfield',
};
const red = [255, 0, 0] as const;

function maskOf(z: number, inside: (x: number, y: number) => boolean): Mask {
  const voxels = new Uint8Array(50);
  for (let i = 0; i < 25; i++) if (inside(i % 5, Math.floor(i / 5))) voxels[z * 25 + i] = 1;
  return { voxels, size: scan.size };
}

const pixelOf = (picture: Picture, x: number, y: number): number[] => [
  ...picture.pixels.subarray((y * picture.width + x) * 3, (y * picture.width + x) * 3 + 3),
];

test('maps the window onto black and white, and what lies beyond to its ends', () => {
  const picture = renderSlice(scan, 1, { centre: 12, width: 10 });
  expect(pixelOf(picture, 0, 0)).toEqual([0, 0, 0]);
  expect(pixelOf(picture, 2, 2)).toEqual([128, 128, 128]);
  expect(pixelOf(picture, 4, 1)).toEqual([51, 51, 51]);
  expect(pixelOf(picture, 4, 4)).toEqual([255, 255, 255]);
});

test('draws the outline of a mask on its own slice only', () => {
  const mask = maskOf(1, (x, y) => x >= 1 && x <= 3 && y >= 1 && y <= 3);
  const window = { centre: 1000, width: 10 };
  const overlays = [{ mask, colour: red }];
  const redPixels = (z: number): number[] =>
    [...Array(25).keys()].filter((i) => {
      const [r, g] = pixelOf(renderSlice(scan, z, window, overlays), i % 5, Math.floor(i / 5));
      return r === 255 && g === 0;
    });
  expect(redPixels(0)).toEqual([]);
  expect(redPixels(1)).toEqual([6, 7, 8, 11, 13, 16, 17, 18]);
});

test('refuses a slice that is not there and an overlay of another size', () => {
  const window = { centre: 0, width: 1 };
  expect(() => renderSlice(scan, 2, window)).toThrow(RangeError);
  const mask: Mask = { voxels: new Uint8Array(25), size: [5, 5, 1] };
  expect(() => renderSlice(scan, 0, window, [{ mask, colour: red }])).toThrow(RangeError);
});

test('writes PNG that reads back pixel by pixel, in grey and in colour', () => {
  const colour = renderSlice(scan, 1, { centre: 12, width: 10 });
  expect(decode(encodePng(colour), { checkCrc: true })).toMatchObject({
    width: 5,
    height: 5,
    channels: 3,
    data: colour.pixels,
  });
  const grey: Picture = {
    width: 3,
    height: 2,
    channels: 1,
    pixels: Uint8Array.of(0, 9, 80, 127, 200, 255),
  };
  expect(decode(encodePng(grey)).data).toEqual(grey.pixels);
});

test('enlarges pixels to squares', () => {
  const grey: Picture = { width: 2, height: 1, channels: 1, pixels: Uint8Array.of(7, 9) };
  expect([...enlarge(grey, 2).pixels]).toEqual([7, 7, 9, 9, 7, 7, 9, 9]);
});

test('places pictures side by side, each below its label', () => {
  const grey: Picture = { width: 20, height: 4, channels: 1, pixels: new Uint8Array(80).fill(90) };
  const picture = montage(
    [
      { picture: grey, label: 'I' },
      { picture: grey, label: '' },
      { picture: grey, label: '' },
    ],
    2,
  );
  expect([picture.width, picture.height]).toEqual([2 * 26 + 6, 2 * 19 + 6]);
  const where = [...Array(picture.width * picture.height).keys()].filter(
    (i) => picture.pixels[i * 3] === 90,
  );
  expect(where).toHaveLength(3 * 80);
  expect(where[0]).toBe((6 + 9) * picture.width + 6);
  // The letter I: a bar of three pixels, a stem of five, a bar of three.
  expect(picture.pixels.filter((value) => value === 255)).toHaveLength(11 * 3);
});
