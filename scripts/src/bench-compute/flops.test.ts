import { createGraph } from '@consilium/compute';
import { expect, test } from 'vitest';
import { referenceUNet } from '../reference-unet.ts';
import { matrixProduct } from './cases.ts';
import { flopsOf } from './flops.ts';

test('counts the reference U-Net as by hand', () => {
  // Multiplications a pixel of each level, 9 for every pair of channels of a 3×3 convolution: down, up, head.
  const macs =
    128 ** 2 * (9 * (1 * 16 + 16 * 16) + 9 * (48 * 16 + 16 * 16) + 16) +
    64 ** 2 * (9 * (16 * 32 + 32 * 32) + 9 * (96 * 32 + 32 * 32)) +
    32 ** 2 * (9 * (32 * 64 + 64 * 64) + 9 * (192 * 64 + 64 * 64)) +
    16 ** 2 * (9 * (64 * 128 + 128 * 128));
  expect(2 * 4 * macs).toBe(5_305_794_560);

  const graph = referenceUNet({ batch: 4, size: 128, widths: [16, 32, 64, 128], groups: 8 });
  expect(flopsOf(graph, { kind: 'read', slices: 300 })).toBe(2 * 4 * macs);
  expect(flopsOf(graph, { kind: 'train' })).toBe(3 * 2 * 4 * macs);
  expect(flopsOf(graph, { kind: 'private', patients: 5 })).toBe(5 * 3 * 2 * 4 * macs);
});

test('counts only what a filter reads: its group of channels, every tap, where it stands', () => {
  const g = createGraph();
  const x = g.input('x', [2, 6, 5, 9, 7]);
  const w = g.parameter('w', [4, 3, 3, 3, 3]);
  g.output('y', g.conv3d(x, w, g.parameter('b', [4]), { groups: 2, stride: 2 }));
  // 2 samples, 4 filters on 3×5×4 places, 3 channels of 27 taps each.
  expect(flopsOf(g.build(), { kind: 'product' })).toBe(2 * (2 * 4 * 3 * 5 * 4) * (3 * 27));
});

test('counts a matrix product as twice the cube of its side', () => {
  expect(flopsOf(matrixProduct(48), { kind: 'product' })).toBe(2 * 48 ** 3);
});
