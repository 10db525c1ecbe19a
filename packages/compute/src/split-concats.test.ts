import { expect, test } from 'vitest';
import { createGraph, type GraphBuilder } from './builder.ts';
import { differentiate } from './differentiate.ts';
import type { Graph } from './graph.ts';
import type { Value } from './graph-assembly.ts';
import { drawFeeds, relativeError } from './operator-cases.ts';
import { interpret } from './reference.ts';
import { splitConcats } from './split-concats.ts';

function network(join: (g: GraphBuilder, a: Value, b: Value) => Value): Graph {
  const g = createGraph();
  const image = g.input('image', [2, 2, 5, 6]);
  const layer = (name: string, x: Value, out: number): Value =>
    g.conv2d(
      x,
      g.parameter(`${name}/w`, [out, x.shape[1] ?? 0, 3, 3]),
      g.parameter(`${name}/b`, [out]),
    );
  const joined = join(g, layer('a', image, 8), layer('b', image, 4));
  g.output('loss', g.mean(g.silu(layer('c', joined, 3))));
  return differentiate(g.build(), 'loss');
}

const concat = (g: GraphBuilder, a: Value, b: Value): Value => g.concat([a, b]);
const joins = ({ nodes }: Graph): number =>
  nodes.filter(({ op, shape }) => op === 'concat' && shape[0] === 2 && shape[2] === 5).length;

test('convolutions of joined channels become sums, with the same loss and gradient', () => {
  const whole = network(concat);
  const split = splitConcats(whole, 4);
  const { inputs, weights } = drawFeeds(whole, 3);
  const expected = interpret(whole, inputs, weights);
  const got = interpret(split, inputs, weights);
  expect([joins(whole), joins(split)]).toEqual([1, 0]);
  expect(relativeError(got.outputs['loss'] ?? [], expected.outputs['loss'] ?? [])).toBeLessThan(
    1e-12,
  );
  expect(relativeError(got.gradient ?? [], expected.gradient ?? [])).toBeLessThan(1e-12);
});

test('a join stays where a part has no whole blocks', () => {
  expect(joins(splitConcats(network(concat), 8))).toBe(1);
});

test('a join stays for whatever else reads it', () => {
  const whole = network((g, a, b) => g.silu(g.concat([a, b])));
  const split = splitConcats(whole, 4);
  const { inputs, weights } = drawFeeds(whole, 4);
  expect(joins(split)).toBe(1);
  expect(
    relativeError(
      interpret(split, inputs, weights).gradient ?? [],
      interpret(whole, inputs, weights).gradient ?? [],
    ),
  ).toBeLessThan(1e-12);
});

test('a graph without joins keeps its nodes', () => {
  const whole = network((g, a, b) => g.mul(a, g.concat([b, b])));
  const { nodes } = splitConcats(whole, 16);
  expect(nodes.map(({ op }) => op)).toEqual(whole.nodes.map(({ op }) => op));
});
