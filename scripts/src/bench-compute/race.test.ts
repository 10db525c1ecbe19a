import { expect, test } from 'vitest';
import type { Contestant } from './contestant.ts';
import { race, scheduleOf } from './race.ts';

test('everyone has one turn a round, and nobody is always first', async () => {
  const asked: string[] = [];
  const contestant = (kind: Contestant['kind'], ms: number): Contestant => ({
    kind,
    greeting: { name: `${kind}!`, parameters: 5, value: 0.5, gradientNorm: null },
    run: async (runs) => {
      asked.push(`${kind} ${runs}`);
      return { times: Array(runs).fill({ wallMs: ms, cpuMs: 2 * ms }), peakBytes: asked.length };
    },
    close: async () => {},
  });
  const done: number[] = [];
  const contestants = [contestant('onnx-cpu', 3), contestant('torch', 7)];
  const laps = await race(contestants, { rounds: 3, runsPerTurn: 2 }, (runs) => done.push(runs));

  expect(asked).toEqual([
    ...['onnx-cpu 1', 'torch 1'],
    ...['onnx-cpu 2', 'torch 2'],
    ...['torch 2', 'onnx-cpu 2'],
    ...['onnx-cpu 2', 'torch 2'],
  ]);
  expect(done).toEqual([1, 1, 2, 2, 2, 2, 2, 2]);
  const turn = (ms: number): unknown => Array(2).fill({ wallMs: ms, cpuMs: 2 * ms });
  expect(laps).toEqual([
    { kind: 'onnx-cpu', name: 'onnx-cpu!', rounds: [turn(3), turn(3), turn(3)], peakBytes: 7 },
    { kind: 'torch', name: 'torch!', rounds: [turn(7), turn(7), turn(7)], peakBytes: 8 },
  ]);
});

test.each([
  { gflop: 1, rounds: 7, runsPerTurn: 10 },
  { gflop: 16, rounds: 7, runsPerTurn: 4 },
  { gflop: 255, rounds: 4, runsPerTurn: 1 },
])('a case of $gflop GFLOP takes $rounds rounds of $runsPerTurn', ({ gflop, ...schedule }) => {
  expect(scheduleOf({ flops: gflop * 1e9 }, 7)).toEqual(schedule);
});

test('a scan is read to its end, whatever the rounds', () => {
  const { rounds, runsPerTurn } = scheduleOf({ flops: 21e9, timedRuns: 75 }, 2);
  expect(rounds * runsPerTurn).toBeGreaterThanOrEqual(75);
  expect((rounds - 1) * runsPerTurn).toBeLessThan(75);
});

test('fewer rounds can be asked for', () => {
  expect(scheduleOf({ flops: 255e9 }, 2).rounds).toBe(2);
});
