import { ComputeError } from '@consilium/compute';
import { ModelError } from '@consilium/model';
import { expect, test } from 'vitest';
import { attempt } from './attempt.ts';
import type { Logger } from './logger.ts';
import { TrainerError } from './trainer.ts';

const listen = (): { logger: Logger; warned: object[] } => {
  const warned: object[] = [];
  const logger = {
    debug() {},
    info() {},
    warn: (fields: object) => warned.push(fields),
    error() {},
  };
  return { logger, warned };
};
const running = new AbortController().signal;

test.each([
  new ComputeError('ENGINE_FAILED', 'the device is lost'),
  new ComputeError('OUT_OF_MEMORY', 'not one sample fits'),
  new TrainerError('PROCESS_LOST', 'ended with SIGKILL'),
  new ModelError('NON_FINITE', 'the loss is NaN'),
])('$code is logged and tried again', async (error) => {
  const { logger, warned } = listen();
  const done = await attempt('train', { logger, signal: running }, () => Promise.reject(error));
  expect(done).toBe(false);
  expect(warned).toEqual([{ what: 'train', code: error.code }]);
});

test('an engine that is not there is for a person', async () => {
  const { logger, warned } = listen();
  const error = new ComputeError('PROVIDER_MISSING', 'no GPU');
  const tried = attempt('train', { logger, signal: running }, () => Promise.reject(error));
  await expect(tried).rejects.toBe(error);
  expect(warned).toEqual([]);
});
