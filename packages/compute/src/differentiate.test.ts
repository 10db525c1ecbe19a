import { expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { differentiate } from './differentiate.ts';
import { ComputeError } from './error.ts';
import { caseGraph, drawFeeds, operatorCases, relativeError } from './operator-cases.ts';
import { interpret } from './reference.ts';

test.each(operatorCases)('the gradient of $name is that of central differences', (operator) => {
  const graph = caseGraph(operator);
  const { inputs, weights } = drawFeeds(graph, 7);
  const { gradient } = interpret(graph, inputs, weights);
  const step = 1e-4;
  const numeric = weights.map((value, i) => {
    const lossAt = (moved: number): number => {
      const shifted = weights.slice();
      shifted[i] = moved;
      return (
        interpret({ ...graph, gradients: [] }, inputs, shifted).outputs['loss']?.[0] ?? Number.NaN
      );
    };
    return (lossAt(value + step) - lossAt(value - step)) / (2 * step);
  });
  expect(relativeError(gradient ?? [], numeric)).toBeLessThan(1e-6);
  expect(numeric.some((value) => value !== 0)).toBe(true);
});

test('a parameter that the loss does not depend on gets zeros', () => {
  const g = createGraph();
  const used = g.parameter('used', [3]);
  g.parameter('unused', [2]);
  g.output('loss', g.sum(used));
  const graph = differentiate(g.build(), 'loss');
  const { gradient } = interpret(graph, {}, Float64Array.of(1, 2, 3, 4, 5));
  expect(gradient).toEqual(Float64Array.of(1, 1, 1, 0, 0));
});

test('a value that several layers read gets the sum of their gradients', () => {
  const g = createGraph();
  const x = g.parameter('x', [2]);
  g.output('loss', g.add(g.sum(g.scale(x, 3)), g.sum(g.mul(x, x))));
  const graph = differentiate(g.build(), 'loss');
  const { gradient } = interpret(graph, {}, Float64Array.of(5, -1));
  expect(gradient).toEqual(Float64Array.of(13, 1));
});

test('nothing is computed for the gradient of inputs', () => {
  const g = createGraph();
  const x = g.input('x', [1, 1, 4, 4]);
  g.output('loss', g.mean(g.conv2d(x, g.parameter('w', [1, 1, 3, 3]))));
  const operators = differentiate(g.build(), 'loss').nodes.map(({ op }) => op);
  expect(operators).toContain('conv2dWeightGradient');
  expect(operators).not.toContain('conv2dInputGradient');
});

test('refuses a loss that is missing, no scalar, or already differentiated', () => {
  const g = createGraph();
  const x = g.parameter('x', [2]);
  g.output('vector', x);
  g.output('loss', g.sum(g.relu(x)));
  const graph = g.build();
  expect(() => differentiate(graph, 'lost')).toThrow(ComputeError);
  expect(() => differentiate(graph, 'vector')).toThrow(/not a scalar/);
  const once = differentiate(graph, 'loss');
  expect(() => differentiate(once, 'loss')).toThrow(/differentiated/);
});

test('refuses a loss whose target depends on a parameter, which would lose a part of the gradient', () => {
  const g = createGraph();
  const logits = g.parameter('logits', [1, 1, 2, 2]);
  g.output('loss', g.bceWithLogits(logits, g.sigmoid(logits)));
  expect(() => differentiate(g.build(), 'loss')).toThrow(/target depends on a parameter/);
});
