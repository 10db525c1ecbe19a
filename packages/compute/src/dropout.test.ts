import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { differentiate } from './differentiate.ts';
import { dropoutMask } from './dropout.ts';
import { createOnnxEngine } from './onnx-engine.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 24 - 1 });
const streams = fc.nat({ max: 10_000 });

test('a mask drops its share of the values, and keeps their mean', () => {
  const length = 20_000;
  fc.assert(
    fc.property(
      seeds,
      streams,
      fc.double({ min: 0.05, max: 0.9, noNaN: true }),
      (seed, stream, rate) => {
        const mask = dropoutMask(seed, stream, length, rate);
        const dropped = mask.filter((value) => value === 0).length;
        // Six deviations of a binomial: one in a billion would fall outside.
        expect(Math.abs(dropped - rate * length)).toBeLessThan(
          6 * Math.sqrt(length * rate * (1 - rate)),
        );
        expect(mask.every((value) => value === 0 || value === Math.fround(1 / (1 - rate)))).toBe(
          true,
        );
      },
    ),
    { seed: 1, numRuns: 60 },
  );
});

test('neighbours, streams and seeds that follow each other drop independently', () => {
  const length = 40_000;
  const agreement = (a: Float32Array, b: Float32Array): number =>
    a.reduce((count, value, i) => count + (value === b[i] ? 1 : 0), 0) / a.length;
  const base = dropoutMask(11, 3, length, 0.5);
  const others = [
    dropoutMask(12, 3, length, 0.5),
    dropoutMask(11, 4, length, 0.5),
    Float32Array.from({ length }, (_, i) => base[(i + 1) % length] ?? 0),
    Float32Array.from({ length }, (_, i) => base[(i + 4096) % length] ?? 0),
  ];
  for (const other of others) expect(Math.abs(agreement(base, other) - 0.5)).toBeLessThan(0.015);
});

test('the bits of a mask are pinned: a repetition next year draws the same', () => {
  const kept = [...dropoutMask(7, 2, 24, 0.5)].map((value) => (value === 0 ? '.' : 'x')).join('');
  expect(kept).toBe('x.x.x.x..x...xxx.xxxxxx.');
});

test.each([-1, 0.5, 2 ** 24, Number.NaN])('refuses %s as a seed', (seed) => {
  expect(() => dropoutMask(seed, 0, 4, 0.5)).toThrow(
    expect.objectContaining({ code: 'BAD_INPUT' }),
  );
});

test('a layer drops by its seed, differently from the next layer, and its gradient is dropped alike', async () => {
  const g = createGraph();
  const seed = g.input('seed', []);
  const w = g.parameter('w', [1, 64]);
  const once = g.dropout(w, seed, 0.5);
  g.output('once', once);
  g.output('other', g.dropout(w, seed, 0.5));
  g.output('loss', g.sum(once));
  const engine = createOnnxEngine();
  const program = await engine.compile(differentiate(g.build(), 'loss'));
  const weights = new Float32Array(64).fill(3);
  const first = await program.run({ seed: Float32Array.of(5) }, weights);
  const again = await program.run({ seed: Float32Array.of(5) }, weights);
  const next = await program.run({ seed: Float32Array.of(6) }, weights);
  await engine.close();
  expect(again).toEqual(first);
  expect(next.outputs['once']).not.toEqual(first.outputs['once']);
  expect(first.outputs['other']).not.toEqual(first.outputs['once']);
  expect([...(first.gradient ?? [])].map((value) => value * 3)).toEqual([
    ...(first.outputs['once'] ?? []),
  ]);
});

test('a seed that is no input is refused when the layer is built', () => {
  const g = createGraph();
  expect(() => g.dropout(g.parameter('w', [2, 3]), g.constant(7), 0.5)).toThrow(
    'the seed is not an input',
  );
});
