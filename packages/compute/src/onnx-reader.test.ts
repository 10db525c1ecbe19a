import { afterAll, describe, expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import type { Engine } from './engine.ts';
import { type Graph, layoutOf } from './graph.ts';
import { createOnnxEngine } from './onnx-engine.ts';
import {
  caseGraph,
  createRandom,
  drawFeeds,
  operatorCases,
  relativeError,
  toSingle,
} from './operator-cases.ts';
import { compileReader } from './reader.ts';
import { interpret } from './reference.ts';

const engine = createOnnxEngine();
afterAll(() => engine.close());

/** Two blocks and what joins them, of channels that fill blocks of 16 and of ones that do not. */
function network(channels: number, samples = 2): Graph {
  const g = createGraph();
  const image = g.input('image', [samples, 3, 16, 16]);
  const block = (name: string, x: typeof image): typeof image => {
    const weight = g.parameter(`${name}/weight`, [channels, x.shape[1] ?? 0, 3, 3]);
    const scale = g.parameter(`${name}/scale`, [channels]);
    const site = g.parameter(`site/${name}/scale`, [channels]);
    const shift = g.parameter(`${name}/shift`, [channels]);
    return g.relu(g.groupNorm(g.conv2d(x, weight), g.add(scale, site), shift, 2));
  };
  const fine = block('fine', image);
  const coarse = block('coarse', g.maxPool2d(fine));
  const joined = g.concat([g.upsample2d(coarse), fine, image]);
  const bias = g.parameter('head/bias', [4]);
  const weight = g.parameter('head/weight', [4, joined.shape[1] ?? 0, 3, 3]);
  g.output('logits', block('last', g.conv2d(joined, weight, bias)));
  g.output('joined', joined);
  return g.build();
}

describe.each(operatorCases)('$name', (operator) => {
  test('with its weights inside agrees with float64', async () => {
    const graph = caseGraph(operator);
    const { inputs, weights } = drawFeeds(graph, 11);
    const expected = interpret(graph, inputs, weights);
    const reader = await compileReader(engine, graph, Float32Array.from(weights));
    const outputs = await reader.run(toSingle(inputs));
    await reader.close();
    const error = relativeError(outputs['result'] ?? [], expected.outputs['result'] ?? []);
    expect(error).toBeLessThan(3e-6);
  });
});

test.each([12, 16, 48])(
  'a network of %i channels agrees with float64, joined images and group norms included',
  async (channels) => {
    const graph = network(channels);
    const { inputs, weights } = drawFeeds(graph, 7);
    const expected = interpret(graph, inputs, weights);
    const reader = await compileReader(engine, graph, Float32Array.from(weights));
    const outputs = await reader.run(toSingle(inputs));
    await reader.close();
    for (const name of ['logits', 'joined']) {
      const error = relativeError(outputs[name] ?? [], expected.outputs[name] ?? []);
      expect(error, name).toBeLessThan(1e-5);
    }
  },
);

test('group norm keeps its digits where the mean is ten deviations away', async () => {
  const g = createGraph();
  const x = g.input('x', [2, 4, 32, 32]);
  g.output('y', g.groupNorm(x, g.parameter('scale', [4]), g.parameter('shift', [4]), 2));
  const graph = g.build();
  const { inputs, weights } = drawFeeds(graph, 5);
  const far = Float64Array.from(inputs['x'] ?? [], (value) => Math.fround(value + 12));
  const expected = interpret(graph, { x: far }, weights);
  const reader = await compileReader(engine, graph, Float32Array.from(weights));
  const { y } = await reader.run({ x: Float32Array.from(far) });
  await reader.close();
  expect(relativeError(y ?? [], expected.outputs['y'] ?? [])).toBeLessThan(1e-4);
});

describe('a reader', () => {
  const graph = network(16, 1);
  const random = createRandom(3);
  const image = Float32Array.from({ length: 3 * 256 }, () => random() - 0.5);
  const weights = Float32Array.from({ length: layoutOf(graph).length }, () => random() - 0.5);

  test('keeps the weights that it was made with', async () => {
    const changing = weights.slice();
    const reader = await compileReader(engine, graph, changing);
    const before = await reader.run({ image });
    changing.fill(0);
    expect(await reader.run({ image })).toEqual(before);
    const other = await compileReader(engine, graph, changing);
    expect(await other.run({ image })).not.toEqual(before);
    await reader.close();
    await other.close();
  });

  test('leaves the event loop to its caller while it computes', async () => {
    const reader = await compileReader(engine, network(48, 32), longWeights());
    const diary: string[] = [];
    const many = new Float32Array(32 * 3 * 256);
    const run = reader.run({ image: many }).then(() => diary.push('computed'));
    await new Promise((resolve) => setImmediate(resolve));
    diary.push('caller went on');
    await run;
    expect(diary).toEqual(['caller went on', 'computed']);
    await reader.close();
  });

  test('runs one after the other when asked at once', async () => {
    const reader = await compileReader(engine, graph, weights);
    const other = image.map((value) => -value);
    const [first, second] = await Promise.all([
      reader.run({ image }),
      reader.run({ image: other }),
    ]);
    expect(await reader.run({ image })).toEqual(first);
    expect(await reader.run({ image: other })).toEqual(second);
    expect(first).not.toEqual(second);
    await reader.close();
  });

  test('names what does not fit, and stays usable', async () => {
    const reader = await compileReader(engine, graph, weights);
    const expected = await reader.run({ image });
    await expect(reader.run({})).rejects.toThrow('input image wants 768 values, got nothing');
    await expect(reader.run({ image, z: image })).rejects.toThrow('no input z');
    expect(await reader.run({ image })).toEqual(expected);
    await reader.close();
    await expect(compileReader(engine, graph, weights.subarray(1))).rejects.toMatchObject({
      code: 'BAD_INPUT',
    });
  });

  test('stops before a run when aborted', async () => {
    const reader = await compileReader(engine, graph, weights);
    const reason = new Error('the node stops');
    const running = reader.run({ image });
    const waiting = reader.run({ image }, { signal: AbortSignal.abort(reason) });
    await expect(waiting).rejects.toBe(reason);
    await expect(running).resolves.toHaveProperty('logits');
    await reader.close();
  });

  test('is refused after it was closed, by itself or with its engine', async () => {
    const own = createOnnxEngine();
    const [reader, left] = [
      await compileReader(own, graph, weights),
      await compileReader(own, graph, weights),
    ];
    await reader.close();
    await reader.close();
    await expect(reader.run({ image })).rejects.toMatchObject({ code: 'CLOSED' });
    await own.close();
    await expect(left.run({ image })).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(compileReader(own, graph, weights)).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('works on an engine that has no way of its own', async () => {
    const plain: Engine = {
      name: 'plain',
      compile: (given) => engine.compile(given),
      close: async () => undefined,
    };
    const [own, bound] = [
      await compileReader(engine, graph, weights),
      await compileReader(plain, graph, weights),
    ];
    const [faster, slower] = [await own.run({ image }), await bound.run({ image })];
    expect(relativeError(faster['logits'] ?? [], slower['logits'] ?? [])).toBeLessThan(1e-5);
    await own.close();
    await bound.close();
  });

  function longWeights(): Float32Array {
    return new Float32Array(layoutOf(network(48, 32)).length).fill(0.01);
  }
});

test('a provider that finds no device is an error, never the CPU', async () => {
  const attempt = async (): Promise<string> => {
    const cuda = createOnnxEngine({ provider: 'cuda' });
    const graph = network(16);
    await compileReader(cuda, graph, new Float32Array(layoutOf(graph).length));
    return 'ready';
  };
  await expect(attempt()).rejects.toMatchObject({ code: 'PROVIDER_MISSING' });
});
