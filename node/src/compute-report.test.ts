import { expect, test } from 'vitest';
import type { ChosenEngine } from './chosen-engine.ts';
import { computeReport, reportLines } from './compute-report.ts';
import type { EngineProbe } from './engine-probe.ts';

const chosen: ChosenEngine = {
  engine: 'onnx-cpu',
  source: 'default',
  threads: 2,
  allowSoftware: false,
};
const works = (
  engine: EngineProbe['engine'],
  medianMs: number | null,
  gradientNorm = 2,
): EngineProbe => ({ engine, works: true, device: `device of ${engine}`, gradientNorm, medianMs });
const missing = (engine: EngineProbe['engine']): EngineProbe => ({
  engine,
  works: false,
  code: 'PROVIDER_MISSING',
  reason: 'no\n device',
});

test('names what would be faster, and by how much', () => {
  const probes = [works('onnx-cpu', 40), works('onnx-webgpu', 5), works('tfjs-wasm', 200)];
  const { advice } = computeReport(chosen, probes);
  expect(advice).toEqual(['compute.engine: onnx-webgpu would be 8.0 times as fast here']);
});

test('is silent about a gain that is not worth its while', () => {
  const probes = [works('onnx-cpu', 40), works('onnx-webgpu', 35)];
  expect(computeReport(chosen, probes).advice).toEqual([]);
});

test('says what to install where no GPU computes, software for one included', () => {
  const software = { ...works('onnx-webgpu', 9000), device: 'software Vulkan on a CPU' };
  for (const webgpu of [missing('onnx-webgpu'), software]) {
    const probes = [works('onnx-cpu', 40), webgpu, missing('onnx-cuda'), missing('tfjs-gpu')];
    const advice = computeReport(chosen, probes).advice.join('\n');
    expect(advice).toMatch(/for onnx-cuda: .*CUDA 12/);
    expect(advice).toMatch(/for tfjs-gpu: run `npm run setup:gpu`/);
    expect(advice.includes('libvulkan1')).toBe(!webgpu.works);
  }
});

test('puts the chosen engine first where it does not work, and what works instead', () => {
  const gpu = { ...chosen, engine: 'onnx-webgpu', source: 'configuration' } as const;
  const probes = [works('onnx-cpu', 40), missing('onnx-webgpu'), works('tfjs-wasm', 200)];
  const { advice } = computeReport(gpu, probes);
  expect(advice[0]).toMatch(/^onnx-webgpu is chosen and does not work: .*--allow-software/);
  expect(advice[1]).toBe('until then, compute.engine: onnx-cpu works here');
});

test('an engine whose gradient is not onnx-cpu’s does not work, however fast', () => {
  const probes = [
    works('onnx-cpu', 40, 2),
    works('onnx-webgpu', 5, 2.03),
    works('tfjs-wasm', 9, 2.01),
    works('tfjs-gpu', 1, Number.NaN),
  ];
  const { engines, advice } = computeReport(chosen, probes);
  expect(engines.map((each) => (each.works ? 'works' : each.code))).toEqual([
    'works',
    'WRONG_RESULT',
    'works',
    'WRONG_RESULT',
  ]);
  expect(advice).toContain('compute.engine: tfjs-wasm would be 4.4 times as fast here');
});

test('people see a line for each engine, the chosen one marked, in one line each', () => {
  const lines = [
    ...reportLines(computeReport(chosen, [works('onnx-cpu', 40), missing('tfjs-gpu')])),
  ];
  expect(lines[0]).toBe('chosen    onnx-cpu: the default, since nothing else is said');
  expect(lines[1]).toMatch(/^\* onnx-cpu +works +40\.0 ms\/step {2}device of onnx-cpu$/);
  expect(lines[2]).toMatch(/^ {2}tfjs-gpu +missing +no device$/);
  expect(lines.join('')).not.toContain('\n');
});

test('an engine that was not measured has no pace', () => {
  const [, line] = reportLines(computeReport(chosen, [works('onnx-cpu', null)]));
  expect(line).not.toContain('ms/step');
});
