import { afterAll, expect, test } from 'vitest';
import { referenceUNet } from '../reference-unet.ts';
import { checkAgreement } from './agreement.ts';
import type { Assignment, Work } from './assignment.ts';
import { forwardTo, quickCases } from './cases.ts';
import { type Contestant, hasTorch, startContestant } from './contestant.ts';

const whole = referenceUNet({ batch: 2, size: 16, widths: [16, 32, 64, 128], groups: 8 });
const training = forwardTo(whole, 'loss');
const block = quickCases().find(({ group }) => group === 'conv3d')?.graph ?? training;
const torchHere = hasTorch();
const open: Contestant[] = [];

async function start(kind: Contestant['kind'], assignment: Assignment): Promise<Contestant> {
  const contestant = await startContestant(kind, assignment);
  open.push(contestant);
  return contestant;
}

afterAll(async () => {
  await Promise.all(open.map((contestant) => contestant.close()));
});

test.skipIf(!torchHere).each([
  { what: 'a training step', graph: training, work: { kind: 'train' } },
  { what: 'a private step', graph: training, work: { kind: 'private', patients: 3 } },
  { what: 'a 3-D block', graph: block, work: { kind: 'train' } },
  { what: 'a reading', graph: forwardTo(whole, 'probability'), work: { kind: 'read', slices: 6 } },
] satisfies { what: string; graph: Assignment['graph']; work: Work }[])(
  'PyTorch builds the same network for $what as this package does (needs python3-torch)',
  async ({ graph, work }) => {
    const assignment = { graph, work, threads: 1, seed: 7 };
    const [ours, torch] = await Promise.all([
      start('onnx-cpu', assignment),
      start('torch', assignment),
    ]);
    if (graph !== block) expect(torch.greeting.parameters).toBe(487_713);
    expect(torch.greeting.value).not.toBeNull();
    checkAgreement([ours, torch]);
    for (const contestant of [ours, torch]) {
      const { times, peakBytes } = await contestant.run(4);
      expect(times).toHaveLength(4);
      if (process.platform === 'linux') expect(peakBytes).toBeGreaterThan(2 ** 20);
    }
  },
  60_000,
);

test('a process that cannot do what it is told ends, and whoever asked hears of it', async () => {
  const nonsense = { graph: forwardTo(whole, 'probability'), work: { kind: 'train' } } as const;
  await expect(start('onnx-cpu', { ...nonsense, threads: 1, seed: 7 })).rejects.toThrow(
    /ended early: .*has no output loss/s,
  );
});

test.each([
  { parameters: 9, value: 0.5, gradientNorm: 3 },
  { parameters: 8, value: 0.51, gradientNorm: 3 },
  { parameters: 8, value: 0.5, gradientNorm: 4 },
  { parameters: 8, value: Number.NaN, gradientNorm: 3 },
  { parameters: 8, value: 0.5, gradientNorm: null },
])('who comes to another network is not compared: %o', (other) => {
  const one = {
    kind: 'onnx-cpu',
    greeting: { name: 'a', parameters: 8, value: 0.5, gradientNorm: 3 },
  } as const;
  expect(() => checkAgreement([one, { kind: 'torch', greeting: { name: 'b', ...other } }])).toThrow(
    /torch/,
  );
  expect(() => checkAgreement([one, one])).not.toThrow();
});
