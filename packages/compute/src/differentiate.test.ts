import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { differentiate } from './differentiate.ts';
import { ComputeError } from './error.ts';
import { type Graph, gradientLayoutOf, layoutOf } from './graph.ts';
import { createOnnxEngine } from './onnx-engine.ts';
import { caseGraph, drawFeeds, operatorCases, relativeError, toSingle } from './operator-cases.ts';
import { interpret } from './reference.ts';

const engine = createOnnxEngine();
afterAll(() => engine.close());

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
  expect(operators).toContain('convWeightGradient');
  expect(operators).not.toContain('convTranspose');
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

describe('with some parameters frozen', () => {
  const forward = threeStages();
  const whole = differentiate(forward, 'loss');
  const { inputs, weights } = drawFeeds(forward, 5);
  const layout = layoutOf(forward);
  const names = layout.tensors.map(({ name }) => name);
  const all = interpret(whole, inputs, weights);
  const partOf = (trained: readonly string[]): number[] =>
    layout.tensors
      .filter(({ name }) => trained.includes(name))
      .flatMap(({ offset, length }) => [
        ...(all.gradient?.subarray(offset, offset + length) ?? []),
      ]);

  test('the gradient is the whole one without them, whichever they are and in whatever order the others are named', () => {
    const subsets = fc.shuffledSubarray(names, { minLength: 1 });
    fc.assert(
      fc.property(subsets, (trained) => {
        const graph = differentiate(forward, 'loss', { trained });
        const { outputs, gradient } = interpret(graph, inputs, weights);
        expect(outputs).toEqual(all.outputs);
        expect(relativeError(gradient ?? [], partOf(trained))).toBeLessThan(1e-12);
        const slots = gradientLayoutOf(graph).tensors.map(({ name }) => name);
        expect(slots).toEqual(names.filter((name) => trained.includes(name)));
        expect(gradientLayoutOf(graph).length).toBe(gradient?.length);
      }),
      { seed: 1, numRuns: 40 },
    );
  });

  test('it is that of central differences over the trained ones', () => {
    const trained = ['second/scale', 'head/weight'];
    const graph = differentiate(forward, 'loss', { trained });
    const { gradient } = interpret(graph, inputs, weights);
    const step = 1e-4;
    const numeric = layout.tensors
      .filter(({ name }) => trained.includes(name))
      .flatMap(({ offset, length }) =>
        Array.from({ length }, (_, i) => {
          const lossAt = (change: number): number => {
            const moved = weights.slice();
            moved[offset + i] = (moved[offset + i] ?? 0) + change;
            return interpret(forward, inputs, moved).outputs['loss']?.[0] ?? Number.NaN;
          };
          return (lossAt(step) - lossAt(-step)) / (2 * step);
        }),
      );
    expect(numeric).toHaveLength(4 + 8);
    expect(relativeError(gradient ?? [], numeric)).toBeLessThan(1e-6);
  });

  test('the engine agrees with float64', async () => {
    const trained = ['site/second/scale', 'head/weight'];
    const graph = differentiate(forward, 'loss', { trained });
    const program = await engine.compile(graph);
    const { gradient } = await program.run(toSingle(inputs), Float32Array.from(weights));
    expect(relativeError(gradient ?? [], partOf(trained))).toBeLessThan(1e-5);
  });

  test('nothing flows back beyond the first trained layer, and no frozen weight costs a gradient', () => {
    const operatorsFor = (trained: readonly string[]): string[] =>
      differentiate(forward, 'loss', { trained })
        .nodes.slice(forward.nodes.length)
        .map(({ op }) => op);
    const head = operatorsFor(['head/weight']);
    expect(head.filter((op) => op === 'convWeightGradient')).toHaveLength(1);
    expect(head).not.toContain('convTranspose');
    expect(head).not.toContain('groupNormInputGradient');
    const scale = operatorsFor(['second/scale']);
    expect(scale).toContain('groupNormScaleGradient');
    expect(scale.filter((op) => op === 'convTranspose')).toHaveLength(1);
    expect(scale).not.toContain('convWeightGradient');
    expect(scale).not.toContain('groupNormInputGradient');
  });

  test('a loss that no trained parameter moves gives zeros', () => {
    const g = createGraph();
    const frozen = g.parameter('frozen', [3]);
    g.parameter('trained', [2]);
    g.output('loss', g.sum(frozen));
    const graph = differentiate(g.build(), 'loss', { trained: ['trained'] });
    const { gradient } = interpret(graph, {}, Float64Array.of(1, 2, 3, 4, 5));
    expect(gradient).toEqual(Float64Array.of(0, 0));
  });

  test('a frozen parameter may shape a target', () => {
    const g = createGraph();
    const shape = [1, 1, 2, 2];
    const logits = g.parameter('logits', shape);
    g.output('loss', g.bceWithLogits(logits, g.sigmoid(g.parameter('teacher', shape))));
    const graph = differentiate(g.build(), 'loss', { trained: ['logits'] });
    const { gradient } = interpret(graph, {}, Float64Array.of(0, 0, 0, 0, 0, 3, -3, 9));
    const wanted = [0, 3, -3, 9].map((z) => (0.5 - 1 / (1 + Math.exp(-z))) / 4);
    expect(relativeError(gradient ?? [], wanted)).toBeLessThan(1e-12);
  });

  test.each([
    [['head/weight', 'heat/weight'], 'the graph has no parameter heat/weight'],
    [['image'], 'the graph has no parameter image'],
    [[], 'no parameter is trained'],
  ])('refuses to train %j', (trained, message) => {
    expect(() => differentiate(forward, 'loss', { trained })).toThrow(
      expect.objectContaining({ code: 'NOT_DIFFERENTIABLE', message }),
    );
  });
});

test('a graph that was not differentiated has no gradient to lay out', () => {
  expect(() => gradientLayoutOf(threeStages())).toThrow(
    expect.objectContaining({ code: 'BAD_GRAPH' }),
  );
});

/** Two blocks of convolution, group norm and activation, and a head; parameters are not created in the order of their use. */
function threeStages(): Graph {
  const g = createGraph();
  const image = g.input('image', [2, 2, 4, 4]);
  const head = g.parameter('head/weight', [2, 4, 1, 1]);
  let x = image;
  for (const name of ['first', 'second']) {
    const weight = g.parameter(`${name}/weight`, [4, x.shape[1] ?? 0, 3, 3]);
    const shift = g.parameter(`${name}/shift`, [4]);
    const scale = g.parameter(`${name}/scale`, [4]);
    const own = g.parameter(`site/${name}/scale`, [4]);
    x = g.silu(g.groupNorm(g.conv2d(x, weight), g.add(scale, own), shift, 2));
  }
  const logits = g.conv2d(x, head);
  const target = g.input('target', [2, 2, 4, 4]);
  g.output('loss', g.add(g.bceWithLogits(logits, target), g.softDiceLoss(logits, target)));
  return g.build();
}
