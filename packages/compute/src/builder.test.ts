import { describe, expect, test } from 'vitest';
import { createGraph, type GraphBuilder } from './builder.ts';
import { layoutOf } from './graph.ts';
import type { Value } from './graph-assembly.ts';

const shape = [2, 4, 6, 8];

test('gives every layer the shape of its result', () => {
  const g = createGraph();
  const x = g.input('x', shape);
  const w = g.parameter('w', [3, 4, 3, 3]);
  expect(g.conv2d(x, w).shape).toEqual([2, 3, 6, 8]);
  expect(g.conv2d(x, w, null, { stride: 2 }).shape).toEqual([2, 3, 3, 4]);
  expect(g.conv2d(x, w, null, { padding: 0 }).shape).toEqual([2, 3, 4, 6]);
  expect(g.maxPool2d(x).shape).toEqual([2, 4, 3, 4]);
  expect(g.upsample2d(x).shape).toEqual([2, 4, 12, 16]);
  expect(g.concat([x, x]).shape).toEqual([2, 8, 6, 8]);
  expect(g.sliceChannels(x, 1, 4).shape).toEqual([2, 3, 6, 8]);
  expect(g.mean(x).shape).toEqual([]);
});

test('orders the weights as the parameters were created', () => {
  const g = createGraph();
  const late = g.parameter('z', [2]);
  g.parameter('site/a', [3]);
  g.output('y', late);
  const { tensors, length } = layoutOf(g.build());
  expect(tensors.map(({ name, offset }) => [name, offset])).toEqual([
    ['z', 0],
    ['site/a', 2],
  ]);
  expect(length).toBe(5);
});

test('a graph is data: later layers do not change it, and JSON keeps it', () => {
  const g = createGraph();
  const x = g.input('x', shape);
  g.output('y', g.relu(x));
  const graph = g.build();
  const before = JSON.stringify(graph);
  g.output('z', g.silu(x));
  expect(JSON.stringify(graph)).toBe(before);
  expect(JSON.parse(before)).toEqual(graph);
});

describe('names the layer and what is wrong with it', () => {
  const cases: readonly [string, (g: GraphBuilder, x: Value) => unknown, string][] = [
    [
      'channels of a convolution',
      (g, x) => g.conv2d(x, g.parameter('enc/w', [3, 5, 3, 3])),
      'conv2d enc/w: the weight takes 5 channels, the input has 4',
    ],
    [
      'a kernel that is not square',
      (g, x) => g.conv2d(x, g.parameter('w', [3, 4, 3, 1])),
      'conv2d w: the kernel 3×1 is not square',
    ],
    [
      'a bias of another length',
      (g, x) => g.conv2d(x, g.parameter('w', [3, 4, 3, 3]), g.parameter('b', [4])),
      'conv2d w: bias has shape [4], wanted [3]',
    ],
    [
      'a stride of zero',
      (g, x) => g.conv2d(x, g.parameter('w', [3, 4, 3, 3]), null, { stride: 0, name: 'stem' }),
      'stem: stride must be a whole number of at least 1, got 0',
    ],
    [
      'padding as large as the kernel',
      (g, x) => g.conv2d(x, g.parameter('w', [3, 4, 3, 3]), null, { padding: 3 }),
      "conv2d w: padding 3 is not below the kernel's 3",
    ],
    [
      'an image below the kernel',
      (g, x) => g.conv2d(x, g.parameter('w', [3, 4, 9, 9]), null, { padding: 0 }),
      'conv2d w: the padded image is smaller than the kernel 9',
    ],
    [
      'groups that do not divide',
      (g, x) => g.groupNorm(x, g.parameter('s', [4]), g.parameter('t', [4]), 3),
      'groupNorm s: 4 channels do not divide into 3 groups',
    ],
    [
      'a scale of another length',
      (g, x) => g.groupNorm(x, g.parameter('s', [5]), g.parameter('t', [4]), 2),
      'groupNorm s: scale has shape [5], wanted [4]',
    ],
    [
      'squares that do not tile',
      (g, x) => g.maxPool2d(x, 4),
      'maxPool2d #1: windows of 4 do not tile an image of 6×8',
    ],
    [
      'unequal images to join',
      (g, x) => g.concat([x, g.maxPool2d(x)]),
      'concat #2: maxPool2d #1 has shape [2, 4, 3, 4], wanted [2, 4, 6, 8]',
    ],
    ['nothing to join', (g) => g.concat([]), 'concat #1: there is nothing to join'],
    [
      'channels beyond the last',
      (g, x) => g.sliceChannels(x, 2, 5),
      'sliceChannels #1: channels up to 5 of 4',
    ],
    [
      'unequal terms',
      (g, x) => g.add(x, g.constant(1)),
      'add #2: constant 1 has shape [], wanted [2, 4, 6, 8]',
    ],
    [
      'an image of three dimensions',
      (g) => g.upsample2d(g.input('flat', [4, 6, 8])),
      'upsample2d #2: wanted [samples, channels, height, width], got [4, 6, 8]',
    ],
    [
      'a target of another shape',
      (g, x) => g.bceWithLogits(x, g.input('t', [2, 1, 6, 8])),
      'bceWithLogits #2: target has shape [2, 1, 6, 8], wanted [2, 4, 6, 8]',
    ],
    [
      'groups that do not divide the results',
      (g, x) => g.conv2d(x, g.parameter('w', [3, 2, 3, 3]), null, { groups: 2 }),
      'conv2d w: 3 results do not divide into 2 groups',
    ],
    [
      'a weight for other groups',
      (g, x) => g.conv2d(x, g.parameter('w', [4, 4, 3, 3]), null, { groups: 2 }),
      'conv2d w: the weight takes 8 channels, the input has 4',
    ],
    [
      'taps further apart than the image is large',
      (g, x) => g.conv2d(x, g.parameter('w', [3, 4, 3, 3]), null, { dilation: 4, padding: 0 }),
      'conv2d w: the padded image is smaller than the kernel 9',
    ],
    [
      'a flat image for three axes',
      (g, x) => g.conv3d(x, g.parameter('w', [3, 4, 3, 3, 3])),
      'conv3d w: wanted [samples, channels, depth, height, width], got [2, 4, 6, 8]',
    ],
    [
      'a kernel that is no cube',
      (g) => g.conv3d(g.input('v', [1, 2, 4, 4, 4]), g.parameter('w', [3, 2, 3, 3, 1])),
      'conv3d w: the kernel 3×3×1 is not a cube',
    ],
    [
      'a transposed convolution of other channels',
      (g, x) => g.convTranspose2d(x, g.parameter('w', [3, 4, 2, 2]), null, { stride: 2 }),
      'convTranspose2d w: the weight takes 3 channels, the input has 4',
    ],
    [
      'output padding of a whole stride',
      (g, x) =>
        g.convTranspose2d(x, g.parameter('w', [4, 3, 2, 2]), null, { stride: 2, outputPadding: 2 }),
      'convTranspose2d w: outputPadding 2 is not below the stride 2',
    ],
    [
      'features of another number',
      (g, x) => g.dense(g.flatten(x), g.parameter('w', [5, 96])),
      'dense w: the weight takes 96 features, the input has 192',
    ],
    [
      'an image where a matrix is wanted',
      (g, x) => g.dense(x, g.parameter('w', [5, 4])),
      'dense w: the input is no matrix but [2, 4, 6, 8]',
    ],
    [
      'a cut through the samples',
      (g, x) => g.slice(x, 0, 0, 1),
      'slice #1: axis must be a whole number of at least 1, got 0',
    ],
    [
      'an axis that is not there',
      (g, x) => g.pad(x, 4, 1, 1),
      'pad #1: axis 4 of a shape of 4 dimensions',
    ],
    [
      'a rate of one',
      (g, x) => g.dropout(x, g.input('seed', []), 1),
      'dropout #2: the rate 1 is not in [0, 1)',
    ],
    [
      'a slope of zero',
      (g, x) => g.leakyRelu(x, 0),
      'leakyRelu #1: the slope 0 is not within 0 and 1',
    ],
    [
      'a focus that has no slope at zero',
      (g, x) => g.focalLoss(x, x, { gamma: 0.5 }),
      'focalLoss #1: gamma 0.5 is neither 0 nor at least 1',
    ],
    [
      'a beta of zero',
      (g, x) => g.smoothL1Loss(x, x, { beta: 0 }),
      'smoothL1Loss #1: beta 0 is not positive',
    ],
    ['a name used twice', (g) => g.input('x', [1]), 'x: the name is taken'],
    ['the reserved name', (g, x) => g.output('gradient', x), 'gradient: the name is taken'],
    ['a name with a space', (g) => g.input('a b', [1]), '"a b": names are of A-Za-z0-9_./-'],
    ['an empty dimension', (g) => g.input('e', [2, 0]), 'input e: [2, 0] is not a shape'],
    [
      'a value of another graph',
      (g) => g.relu(createGraph().input('x', shape)),
      'relu #1: x belongs to another graph',
    ],
  ];
  test.each(cases)('%s', (_, build, message) => {
    const g = createGraph();
    const x = g.input('x', shape);
    expect(() => build(g, x)).toThrow(
      expect.objectContaining({ name: 'ComputeError', code: 'BAD_GRAPH', message }),
    );
  });
});

test('refuses a graph without an output', () => {
  const g = createGraph();
  g.input('x', shape);
  expect(() => g.build()).toThrow('the graph has no output');
});
