import { InferenceSession } from 'onnxruntime-node';
import { afterAll, expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { type Graph, layoutOf } from './graph.ts';
import { createOnnxEngine } from './onnx-engine.ts';
import { fieldsOf, messageOf, textsOf } from './onnx-message.ts';
import { quantizedTensors, quantizeModel, withOutputs } from './onnx-quantize.ts';
import { createRandom, relativeError } from './operator-cases.ts';
import { compileReader } from './reader.ts';
import { toOnnx } from './to-onnx.ts';

const engine = createOnnxEngine();
afterAll(() => engine.close());

/** A first convolution of few channels, two of many, one 1×1, and one with a bias. */
function network(): Graph {
  const g = createGraph();
  const image = g.input('image', [1, 3, 24, 24]);
  const block = (name: string, x: typeof image, out: number): typeof image => {
    const weight = g.parameter(`${name}/weight`, [out, x.shape[1] ?? 0, 3, 3]);
    const [scale, shift] = [
      g.parameter(`${name}/scale`, [out]),
      g.parameter(`${name}/shift`, [out]),
    ];
    return g.relu(g.groupNorm(g.conv2d(x, weight), scale, shift, 2));
  };
  const x = block('c', block('b', block('a', image, 12), 24), 16);
  const point = g.conv2d(x, g.parameter('d/weight', [8, 16, 1, 1]));
  const head = g.parameter('head/weight', [2, 8, 3, 3]);
  g.output('logits', g.conv2d(point, head, g.parameter('head/bias', [2])));
  return g.build();
}

const graph = network();
const random = createRandom(21);
const weights = Float32Array.from({ length: layoutOf(graph).length }, () => random() - 0.5);
const imageOf = (): { image: Float32Array } => ({
  image: Float32Array.from({ length: 3 * 24 * 24 }, () => 2 * random() - 1),
});
const model = toOnnx(graph, { weights, target: 'reading' });

/** Operators of a model with how often each is there. */
function operatorsOf(bytes: Uint8Array): Record<string, number> {
  const found = fieldsOf(bytes).find(({ number }) => number === 7)?.bytes ?? new Uint8Array();
  const counts: Record<string, number> = {};
  for (const { number, bytes: node } of fieldsOf(found)) {
    if (number !== 1) continue;
    const [op = ''] = textsOf(fieldsOf(node), 4);
    counts[op] = (counts[op] ?? 0) + 1;
  }
  return counts;
}

test('a message comes back bit for bit', () => {
  expect(Buffer.from(messageOf(fieldsOf(model))).equals(model)).toBe(true);
});

test('turns over convolutions of many channels, of several taps, without a bias', () => {
  const ranges = new Map(quantizedTensors(model).map((name) => [name, { least: -3, most: 5 }]));
  expect(ranges.size).toBe(4);
  const [before, after] = [operatorsOf(model), operatorsOf(quantizeModel(model, ranges))];
  expect(after).toMatchObject({ QLinearConv: 2, QuantizeLinear: 2, DequantizeLinear: 2 });
  expect(after['Conv']).toBe((before['Conv'] ?? 0) - 2);
  expect(quantizeModel(model, ranges).length).toBeLessThan(model.length);
});

test('without a range a convolution stays as it is', () => {
  expect(operatorsOf(quantizeModel(model, new Map()))).toEqual(operatorsOf(model));
});

test('tensors inside become outputs', async () => {
  const names = quantizedTensors(model);
  const session = await InferenceSession.create(withOutputs(model, names), { logSeverityLevel: 4 });
  expect(session.outputNames).toEqual(['logits', ...names]);
  await session.release();
});

test('joined images are convolved on 8-bit numbers, each by its own channels of the weight', async () => {
  const g = createGraph();
  const [a, b] = [g.input('a', [1, 8, 9, 9]), g.input('b', [1, 12, 9, 9])];
  g.output('y', g.conv2d(g.concat([a, b]), g.parameter('w', [16, 20, 3, 3])));
  const joined = g.build();
  const w = Float32Array.from({ length: 16 * 20 * 9 }, () => random() - 0.5);
  const inputs = {
    a: Float32Array.from({ length: 8 * 81 }, random),
    b: Float32Array.from({ length: 12 * 81 }, random),
  };
  const bytes = toOnnx(joined, { weights: w, target: 'reading' });
  const ranges = new Map(quantizedTensors(bytes).map((name) => [name, { least: -9, most: 9 }]));
  // The joined image itself is read by nobody, and a runtime would write it all the same.
  expect(operatorsOf(bytes)).not.toHaveProperty('Concat');
  expect(operatorsOf(quantizeModel(bytes, ranges))).toMatchObject({ QLinearConv: 2, Add: 1 });
  const exact = await compileReader(engine, joined, w);
  const reader = await compileReader(engine, joined, w, { int8: [inputs] });
  const [wanted, got] = [await exact.run(inputs), await reader.run(inputs)];
  expect(relativeError(got['y'] ?? [], wanted['y'] ?? [])).toBeLessThan(0.02);
  await exact.close();
  await reader.close();
});

test('a reader on 8-bit numbers gives the same to two digits, and not the same', async () => {
  const samples = [imageOf(), imageOf(), imageOf()];
  const exact = await compileReader(engine, graph, weights);
  const reader = await compileReader(engine, graph, weights, { int8: samples });
  for (const input of [imageOf(), imageOf()]) {
    const [wanted, got] = [await exact.run(input), await reader.run(input)];
    const error = relativeError(got['logits'] ?? [], wanted['logits'] ?? []);
    expect(error).toBeLessThan(0.02);
    expect(error).toBeGreaterThan(1e-4);
  }
  await exact.close();
  await reader.close();
});

test('ranges are those of the samples: too narrow ones cut what lies outside', async () => {
  const faint = imageOf();
  const reader = await compileReader(engine, graph, weights, {
    int8: [{ image: faint.image.map(() => 0) }],
  });
  const exact = await compileReader(engine, graph, weights);
  const [got, wanted] = [await reader.run(faint), await exact.run(faint)];
  expect(relativeError(got['logits'] ?? [], wanted['logits'] ?? [])).toBeGreaterThan(0.1);
  await exact.close();
  await reader.close();
});
