import { expect, test } from 'vitest';
import { type BenchCase, quickCases } from './cases.ts';
import { figuresOf } from './figures.ts';
import type { Lap } from './race.ts';

const [train] = quickCases();
const step: BenchCase = { ...(train as BenchCase), flops: 4e9 };

function lap(kind: Lap['kind'], wallMs: readonly number[][], mebibytes: number): Lap {
  const rounds = wallMs.map((times) => times.map((ms) => ({ wallMs: ms, cpuMs: 3 * ms })));
  return { kind, name: kind, rounds, peakBytes: mebibytes * 2 ** 20 };
}

test('compares medians, and says how far single rounds went apart', () => {
  const ours = lap(
    'onnx-cpu',
    [
      [40, 900],
      [20, 30, 50],
    ].map((times) => [...times]),
    300,
  );
  const torch = lap(
    'torch',
    [
      [20, 20],
      [40, 40, 40],
    ],
    200,
  );
  const { figures, ratios } = figuresOf(step, 1, [ours, torch], 200);

  // 20, 30, 40, 50, 900: the median is untouched by the one bad run.
  expect(figures[0]).toMatchObject({ medianMs: 40, fastestMs: 20, medianCpuMs: 120, timedRuns: 5 });
  expect(figures[0]?.gflopPerSecond).toBeCloseTo(100, 9);
  expect(figures[0]?.percentOfPeak).toBeCloseTo(50, 9);
  expect(figures[0]?.peakMebibytes).toBe(300);
  expect(ratios[0]).toMatchObject({ peer: 'torch', wall: 1, cpu: 1, memory: 1.5 });
  expect(ratios[0]?.wallByRound).toEqual([0.75, 45]);
});

test('a scan takes as long as all its batches', () => {
  const scan: BenchCase = { ...step, group: 'read', id: 'read-300x256', runsInWhole: 75 };
  const { figures, gflop } = figuresOf(scan, 2, [lap('onnx-cpu', [[10], [12], [11]], 90)], 500);
  expect(figures[0]?.medianMs).toBe(75 * 11);
  expect(gflop).toBe(75 * 4);
});

test.each([
  { threads: 1, group: 'train', ms: 114, missed: [] },
  { threads: 1, group: 'train', ms: 116, missed: ['time 1.160, bar 1.15'] },
  { threads: 2, group: 'private', ms: 129, missed: [] },
  { threads: 2, group: 'conv3d', ms: 131, missed: ['time 1.310, bar 1.3'] },
  { threads: 2, group: 'read', ms: 91, missed: ['time 0.910, bar 0.9'] },
  { threads: 1, group: 'read', ms: 89, missed: [] },
] as const)('$group on $threads threads at $ms % of PyTorch', ({ threads, group, ms, missed }) => {
  const benchCase: BenchCase = { ...step, group, id: group === 'read' ? 'read-300x256' : group };
  const laps = [
    lap('onnx-cpu', [[ms]], 119),
    lap('torch', [[100]], 100),
    lap('tfjs-wasm', [[9]], 9),
  ];
  expect(figuresOf(benchCase, threads, laps, 99).missed).toEqual(missed);
});

test('memory has a bar of its own; a scan of another size has no other', () => {
  const scan: BenchCase = { ...step, group: 'read', id: 'read-128x512' };
  const laps = [lap('onnx-cpu', [[500]], 121), lap('torch', [[100]], 100)];
  expect(figuresOf(scan, 1, laps, 99).missed).toEqual(['memory 1.210, bar 1.2']);
});

test('without a peer there is no bar to miss', () => {
  expect(figuresOf(step, 1, [lap('onnx-cpu', [[500]], 9999)], 99)).toMatchObject({
    ratios: [],
    missed: [],
  });
});
