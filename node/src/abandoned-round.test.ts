import { networkLayout } from '@consilium/model';
import { splitLayout } from '@consilium/weights';
import { afterAll, expect, test } from 'vitest';
import { type RoundSite, roundSite, roundTask } from './round-training-fixture.ts';
import { createTrainer } from './trainer.ts';

// Shared weights are integers on a grid: what overflows can only come from the site's own corrections, or from a device.
const trainer = createTrainer({ execArgv: ['--conditions=@consilium/source'] });
afterAll(() => trainer.stop());
const { local } = splitLayout(networkLayout(roundTask.network));

/** A site whose corrections are all `value` from its second round on. */
const siteWith = (value: number, isPrivate: boolean): Promise<RoundSite> =>
  roundSite(trainer, {
    isPrivate,
    trainingStore: {
      load: async () => ({
        local: new Float32Array(local.length).fill(value),
        optimizer: { rule: 'sgd', steps: 4, first: new Float32Array(), second: new Float32Array() },
        residual: new Float32Array(),
      }),
    },
  });

test.each([
  [1e30, false, ['manifest', 'update']],
  [Number.NaN, false, ['manifest', 'update']],
  [1e30, true, ['manifest', 'reserve', 'update']],
  [Number.NaN, true, ['manifest', 'reserve', 'update']],
])(
  'corrections of %d abandon the round in the real training process; private: %j',
  async (value, isPrivate, signed) => {
    const { round, kinds, fold, training } = await siteWith(value, isPrivate);
    await round(1);
    expect(training.findings).toEqual([]);
    await round(2);
    expect(await kinds()).toEqual(signed);
    const { digest: state } = await fold();
    expect(training.findings).toMatchObject([{ code: 'NON_FINITE', round: 2, state }]);
    expect(training.isAbandoned(2, state)).toBe(true);
  },
  60_000,
);
