import { expect, test } from 'vitest';
import { bar, comparedOperators, comparedUNet, judge, missing } from './verdict.ts';

const near = { loss: 2e-6, outputs: 3e-6, gradient: 5e-6 };
const one = { name: 'relu', ...near, why: '' };

test('holds when everything is near, and puts the worst first', () => {
  const worse = { ...one, name: 'conv2d', gradient: bar };
  expect(judge([one, worse], 2)).toEqual({ held: true, compared: 2, all: [worse, one] });
});

test.each([
  ['a gradient beyond the bar', [{ ...one, gradient: bar * 1.01 }, one]],
  ['a loss beyond the bar', [{ ...one, loss: bar * 1.01 }, one]],
  ['a value that is no number', [{ ...one, outputs: Number.NaN }, one]],
  ['a crash', [one, missing('conv2d', 'crashed: SIGSEGV')]],
  ['a comparison that never came', [one]],
])('does not hold with %s', (_, compared) => {
  expect(judge(compared, 2).held).toBe(false);
});

test('the worse of two references counts, and an announced case that gave nothing does not', () => {
  const far = { ...near, gradient: 0.25 };
  const rows = [
    { case: 4, name: 'mul', fromCpu: near, fromFloat64: far },
    { case: 5, name: 'sum' },
  ];
  expect(comparedOperators(rows)).toEqual([{ ...one, name: 'mul', gradient: 0.25 }]);
});

test('onnx-cpu is not compared with itself where float64 is there', () => {
  const row = { batch: 3, size: 16, fromCpu: near, fromFloat64: { ...near, gradient: 0.5 } };
  expect(comparedUNet(row, 'onnx-cpu').gradient).toBe(0.5);
  expect(comparedUNet(row, 'onnx-webgpu').gradient).toBe(5e-6);
});
