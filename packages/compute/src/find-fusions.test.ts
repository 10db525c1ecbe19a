import { expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { findFusions } from './find-fusions.ts';
import type { Value } from './graph-assembly.ts';

const image = [1, 2, 4, 4];

function convolution(g: ReturnType<typeof createGraph>, x: Value, name: string): Value {
  return g.conv2d(x, g.parameter(name, [2, 2, 3, 3]));
}

test('a result that only a relu reads is rectified; one that is read twice, or an output, is not', () => {
  const g = createGraph();
  const x = g.input('x', image);
  const once = convolution(g, x, 'once');
  const twice = convolution(g, x, 'twice');
  const shown = convolution(g, x, 'shown');
  g.output('a', g.add(g.relu(once), g.mul(g.relu(twice), twice)));
  g.output('b', g.relu(shown));
  g.output('c', shown);
  expect([...findFusions(g.build()).rectified]).toEqual([once.node]);
});

test('the later convolution of a sum adds to the earlier operand, in either order', () => {
  for (const swap of [false, true]) {
    const g = createGraph();
    const x = g.input('x', image);
    const [first, second] = [convolution(g, x, 'first'), convolution(g, x, 'second')];
    const sum = swap ? g.add(second, first) : g.add(first, second);
    g.output('sum', sum);
    const { sums, added } = findFusions(g.build());
    expect([...sums]).toEqual([[sum.node, { convolution: second.node, other: first.node }]]);
    expect([...added]).toEqual([second.node]);
  }
});

test('a convolution added to itself is not fused', () => {
  const g = createGraph();
  const x = convolution(g, g.input('x', image), 'w');
  g.output('sum', g.add(x, x));
  expect(findFusions(g.build()).sums.size).toBe(0);
});
