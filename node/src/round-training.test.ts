import { ComputeError } from '@consilium/compute';
import { ModelError } from '@consilium/model';
import { describe, expect, test } from 'vitest';
import { type RoundSite, roundSite, roundTrainable } from './round-training-fixture.ts';
import type { TrainJob } from './training-messages.ts';

/** A private site whose training process is `train`, and `check` before it; `seen` has what was signed when each training began. */
async function site(
  train: (job: TrainJob) => void,
  check: () => void = () => undefined,
): Promise<RoundSite & { seen: string[][] }> {
  const seen: string[][] = [];
  const made: RoundSite = await roundSite(
    {
      check: async () => {
        check();
        return null;
      },
      train: async (job) => {
        seen.push(await made.kinds());
        train(job);
        const first = new Float32Array(roundTrainable.length);
        const state = { rule: 'sgd' as const, steps: 4, first, second: new Float32Array() };
        return { weights: job.weights.slice(), optimizerState: state, steps: job.steps };
      },
    },
    { isPrivate: true },
  );
  return { ...made, seen };
}

test('has the reservation in its log before training begins, and pays for each update with one', async () => {
  const jobs: TrainJob[] = [];
  const { round, fold, seen } = await site((job) => jobs.push(job));
  await round(1);
  await round(2);
  expect(seen).toEqual([
    ['manifest', 'reserve'],
    ['manifest', 'reserve', 'update', 'reserve'],
  ]);
  expect(jobs[0]?.privacy).toMatchObject({ declaredPatients: 40, slicesPerPatient: 4 });
  expect(jobs[0]?.privacy?.mechanism.expectedBatch).toBe(10);
  const { findings, members } = await fold();
  expect(findings).toEqual([]);
  expect(members[0]?.spending).toMatchObject({ steps: 8, unused: 0 });
});

test('stops hard at the cap: no job reaches the training process, and nothing is signed', async () => {
  const { round, fold, kinds, seen } = await site(() => undefined);
  for (const number of [1, 2, 3]) await round(number);
  const before = await kinds();
  await expect(round(4)).rejects.toMatchObject({ code: 'BUDGET_EXHAUSTED' });
  expect(await kinds()).toEqual(before);
  expect(seen).toHaveLength(3);
  const { members, findings } = await fold();
  expect(findings).toEqual([]);
  expect(members[0]?.spending?.isExhausted).toBe(true);
  expect(members[0]?.spending?.epsilon).toBeLessThanOrEqual(3);
});

test('gives nothing back for a training that failed, and halts after three in a row', async () => {
  let failures = 2;
  const { round, fold, training, kinds } = await site(() => {
    if (failures-- > 0) throw new Error('the process was lost');
  });
  await expect(round(1)).rejects.toThrow('lost');
  await expect(round(1)).rejects.toThrow('lost');
  expect(training.isHalted).toBe(false);
  await round(1);
  expect(await kinds()).toEqual(['manifest', 'reserve', 'reserve', 'reserve', 'update']);
  expect((await fold()).members[0]?.spending).toMatchObject({ steps: 12, unused: 2 });

  const broken = await site(() => {
    throw new Error('a file cannot be read');
  });
  for (let i = 0; i < 3; i++) await expect(broken.round(1)).rejects.toThrow('cannot be read');
  expect(broken.training.isHalted).toBe(true);
});

describe('values that are not finite', () => {
  const nonFinite = (): never => {
    throw new ModelError('NON_FINITE', 'the values are not finite');
  };

  test('before the reservation abandon the round with a finding, and nothing is spent', async () => {
    const { round, fold, kinds, training, errors, seen } = await site(() => undefined, nonFinite);
    await round(1);
    const { digest: state, members } = await fold();
    expect(await kinds()).toEqual(['manifest']);
    expect(seen).toEqual([]);
    expect(members[0]?.spending).toMatchObject({ steps: 0, unused: 0 });
    expect(training.findings).toEqual([
      { code: 'NON_FINITE', round: 1, state, message: 'the values are not finite' },
    ]);
    expect(errors).toMatchObject([{ fields: { code: 'NON_FINITE', round: 1, state } }]);
    expect(training.isAbandoned(1, state)).toBe(true);
    expect(training.isAbandoned(2, state)).toBe(false);
    expect(training.isAbandoned(1, state.replace(/^./, 'x'))).toBe(false);
  });

  test('in the middle of a private round leave what was reserved spent, and no update', async () => {
    const { round, fold, kinds, training } = await site(nonFinite);
    await round(1);
    expect(await kinds()).toEqual(['manifest', 'reserve']);
    expect(training.isAbandoned(1, (await fold()).digest)).toBe(true);
  });

  test('are no finding any more once an update was signed', async () => {
    let failures = 1;
    const { round, kinds, training } = await site(() => {
      if (failures-- > 0) nonFinite();
    });
    await round(1);
    expect(training.findings).toHaveLength(1);
    await round(1);
    expect(training.findings).toEqual([]);
    expect(await kinds()).toEqual(['manifest', 'reserve', 'reserve', 'update']);
  });

  test('are told at most eight at a time', async () => {
    const { round, training } = await site(() => undefined, nonFinite);
    for (let number = 1; number <= 10; number++) await round(number);
    expect(training.findings.map((finding) => finding.round)).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
  });
});

test.each([
  new ComputeError('ENGINE_FAILED', 'the device is lost'),
  new ModelError('LAYOUT_MISMATCH', '3 weights for a network of 400'),
])('$code is its caller’s to try again, and no finding', async (error) => {
  const { round, training } = await site(() => {
    throw error;
  });
  await expect(round(1)).rejects.toBe(error);
  expect(training.findings).toEqual([]);
});
