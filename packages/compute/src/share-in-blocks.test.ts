import { expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { shareInBlocks } from './share-in-blocks.ts';

test('counts products by whether they lie in whole blocks', () => {
  const g = createGraph();
  const x = g.input('x', [1, 3, 4, 4]);
  const first = g.conv2d(x, g.parameter('first', [16, 3, 3, 3])); // 16 · 27 for each pixel, from fewer channels than a block
  const second = g.conv2d(first, g.parameter('second', [24, 16, 1, 1])); // 24 · 16, half a block too many
  const third = g.conv2d(second, g.parameter('third', [32, 24, 1, 1])); // 32 · 24, from half a block too many
  g.output('y', g.conv2d(third, g.parameter('fourth', [16, 32, 1, 1]))); // 16 · 32
  expect(shareInBlocks(g.build(), 16)).toBeCloseTo((432 + 512) / (432 + 384 + 768 + 512), 12);
  expect(shareInBlocks(g.build(), 8)).toBe(1);
});

test('over three axes counts what has stride 1 and no dilation', () => {
  const g = createGraph();
  const x = g.input('x', [1, 16, 4, 4, 4]);
  const near = g.conv3d(x, g.parameter('near', [16, 16, 1, 1, 1])); // 256 for each of 64 pixels
  const far = g.conv3d(near, g.parameter('far', [32, 16, 3, 3, 3]), null, { stride: 2 }); // 32 · 16 · 27 for each of 8
  const wide = g.conv3d(far, g.parameter('wide', [16, 32, 2, 2, 2]), null, { dilation: 2 }); // 16 · 32 · 8
  g.output('y', wide);
  const pixels = wide.shape.slice(2).reduce((product, size) => product * size, 1);
  const all = 64 * 256 + 8 * 32 * 16 * 27 + pixels * 16 * 32 * 8;
  expect(shareInBlocks(g.build(), 16)).toBeCloseTo((64 * 256) / all, 12);
});

test('a graph without convolutions has no share', () => {
  const g = createGraph();
  g.output('y', g.relu(g.input('x', [4])));
  expect(shareInBlocks(g.build(), 16)).toBe(0);
});
