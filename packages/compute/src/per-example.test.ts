import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { createGraph, type GraphBuilder } from './builder.ts';
import { differentiate } from './differentiate.ts';
import { type Graph, gradientLayoutOf, layoutOf, type Shape } from './graph.ts';
import type { Value } from './graph-assembly.ts';
import { createOnnxEngine } from './onnx-engine.ts';
import { createRandom, relativeError, toSingle } from './operator-cases.ts';
import { interpret } from './reference.ts';

const engine = createOnnxEngine();
afterAll(() => engine.close());

/** A network with every layer that has parameters, over a batch of `samples`; its loss is the mean over the samples. */
function network(samples: number): GraphBuilder {
  const g = createGraph();
  const x = g.input('x', [samples, 2, 6, 4]);
  const norm = (value: Value, name: string): Value => {
    const channels = value.shape[1] ?? 0;
    const scale = g.add(
      g.parameter(`${name}/scale`, [channels]),
      g.parameter(`site/${name}/scale`, [channels]),
    );
    return g.silu(g.groupNorm(value, scale, g.parameter(`${name}/shift`, [channels]), 2));
  };
  const first = norm(
    g.conv2d(x, g.parameter('first', [4, 2, 3, 3]), g.parameter('bias', [4])),
    'n1',
  );
  const second = norm(
    g.conv2d(first, g.parameter('grouped', [4, 2, 3, 3]), null, { groups: 2, stride: 2 }),
    'n2',
  );
  const up = g.convTranspose2d(
    second,
    g.parameter('up', [4, 2, 2, 2]),
    g.parameter('upBias', [2]),
    { stride: 2 },
  );
  const rows = g.flatten(g.concat([up, first]));
  const logits = g.dense(rows, g.parameter('dense', [3, 144]), g.parameter('denseBias', [3]));
  g.output('loss', g.bceWithLogits(logits, g.input('target', [samples, 3])));
  return g;
}

function draw(length: number, seed: number): Float64Array {
  const random = createRandom(seed);
  return Float64Array.from({ length }, () => Math.fround(random() - 0.5));
}

const samples = 6;
const inputs = {
  x: draw(samples * 48, 1),
  target: draw(samples * 3, 2).map((value) => value + 0.5),
};
const whole = network(samples).build();
const weights = draw(layoutOf(whole).length, 3);

/** The gradient of each part of the batch, by a network of that size on that part alone. */
function partByPart(examples: number, trained?: readonly string[]): Float64Array[] {
  const size = samples / examples;
  const alone = differentiate(network(size).build(), 'loss', { ...(trained && { trained }) });
  return Array.from({ length: examples }, (_, example) => {
    const x = inputs.x.subarray(example * size * 48, (example + 1) * size * 48);
    const target = inputs.target.subarray(example * size * 3, (example + 1) * size * 3);
    // The loss of the whole batch is the mean over examples: each has its share.
    return (interpret(alone, { x, target }, weights).gradient ?? new Float64Array()).map(
      (value) => value / examples,
    );
  });
}

async function onEngine(graph: Graph): Promise<Float32Array> {
  const program = await engine.compile(graph);
  const { gradient } = await program.run(toSingle(inputs), Float32Array.from(weights));
  await program.close();
  return gradient ?? new Float32Array();
}

describe.each([1, 2, 3, 6])('a batch of 6 as %i examples', (examples) => {
  test('gives each example the gradient that it has alone', async () => {
    const graph = differentiate(whole, 'loss', { perExample: { examples } });
    const expected = partByPart(examples).flatMap((gradient) => [...gradient]);
    expect(relativeError(interpret(graph, inputs, weights).gradient ?? [], expected)).toBeLessThan(
      1e-12,
    );
    expect(relativeError(await onEngine(graph), expected)).toBeLessThan(3e-6);
  });

  test('gives the same for a part of the parameters', async () => {
    const trained = ['n2/scale', 'site/n2/scale', 'up', 'denseBias'];
    const graph = differentiate(whole, 'loss', { trained, perExample: { examples } });
    const expected = partByPart(examples, trained).flatMap((gradient) => [...gradient]);
    expect(expected.length).toBe(examples * gradientLayoutOf(graph).length);
    expect(relativeError(await onEngine(graph), expected)).toBeLessThan(3e-6);
  });
});

test('no example changes another one’s gradient by a bit', async () => {
  const graph = differentiate(whole, 'loss', { perExample: { examples: 3 } });
  const program = await engine.compile(graph);
  const { length } = gradientLayoutOf(graph);
  const single = toSingle(inputs);
  const before = (await program.run(single, Float32Array.from(weights))).gradient ?? [];
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: 2 }),
      fc.double({ min: -9, max: 9, noNaN: true }),
      async (kept, value) => {
        const x = (single['x'] ?? new Float32Array()).map((old, i) =>
          Math.floor(i / 96) === kept ? old : value,
        );
        const after =
          (await program.run({ ...single, x }, Float32Array.from(weights))).gradient ?? [];
        const own = [kept * length, (kept + 1) * length] as const;
        expect(after.slice(...own)).toEqual(before.slice(...own));
        expect(after).not.toEqual(before);
      },
    ),
    { seed: 1, numRuns: 20 },
  );
});

test('clips every example over all its parameters, and leaves the shorter ones as they are', async () => {
  const raw = partByPart(3);
  const norms = raw.map((gradient) => Math.hypot(...gradient));
  const clipNorm = (Math.min(...norms) + Math.max(...norms)) / 2;
  const expected = raw.flatMap((gradient, example) => {
    const factor = Math.min(1, clipNorm / (norms[example] ?? 1));
    return [...gradient].map((value) => value * factor);
  });
  const graph = differentiate(whole, 'loss', { perExample: { examples: 3, clipNorm } });
  expect(relativeError(interpret(graph, inputs, weights).gradient ?? [], expected)).toBeLessThan(
    1e-12,
  );
  const clipped = await onEngine(graph);
  expect(relativeError(clipped, expected)).toBeLessThan(3e-6);
  const third = clipped.length / 3;
  for (let example = 0; example < 3; example++) {
    const norm = Math.hypot(...clipped.subarray(example * third, (example + 1) * third));
    expect(norm).toBeLessThan(clipNorm * (1 + 1e-5));
  }
});

describe('refuses what cannot be told apart', () => {
  const shape: Shape = [4, 2, 4, 4];
  const cases: readonly [string, (g: GraphBuilder) => Value, RegExp][] = [
    [
      'a Dice over the batch',
      (g) =>
        g.softDiceLoss(
          g.conv2d(g.input('x', shape), g.parameter('w', [2, 2, 3, 3])),
          g.input('t', shape),
        ),
      /Dice over the whole batch/,
    ],
    [
      'a product of two losses',
      (g) => {
        const loss = g.mean(g.conv2d(g.input('x', shape), g.parameter('w', [2, 2, 3, 3])));
        return g.mul(loss, loss);
      },
      /mul of a loss is no sum/,
    ],
    [
      'a parameter that is an image itself',
      (g) => g.mean(g.add(g.input('x', shape), g.parameter('w', shape))),
      /w enters at a place/,
    ],
    [
      'a penalty on the weights',
      (g) => {
        const w = g.parameter('w', [2, 2, 3, 3]);
        return g.add(g.mean(g.conv2d(g.input('x', shape), w)), g.sum(g.mul(w, w)));
      },
      /of parameters has no gradient by example|enters at a place/,
    ],
    [
      'a batch that does not divide',
      (g) => g.mean(g.conv2d(g.input('x', [5, 2, 4, 4]), g.parameter('w', [2, 2, 3, 3]))),
      /a batch of 5 does not divide into 2 examples/,
    ],
  ];
  test.each(cases)('%s', (_, build, message) => {
    const g = createGraph();
    g.output('loss', build(g));
    const differentiated = (): Graph =>
      differentiate(g.build(), 'loss', { perExample: { examples: 2 } });
    expect(differentiated).toThrow(message);
    expect(differentiated).toThrow(expect.objectContaining({ code: 'NOT_DIFFERENTIABLE' }));
  });
});
