import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultTask } from '@consilium/model';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { readPlan } from './study-plan.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'consilium-plan-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function planFile(changes: object): Promise<string> {
  const path = join(folder, 'plan.yaml');
  const roster = [{ name: 'a', site: 'x', role: 'trainer', patients: 5 }];
  await writeFile(
    path,
    stringify({ name: 's', rounds: { count: 30, quorum: 1 }, roster, ...changes }),
  );
  return path;
}

test('a named task lets its learning rate fall over just the steps of the study', async () => {
  const { task } = await readPlan(await planFile({}));
  expect(task.training.decaySteps).toBe(30 * defaultTask.training.stepsPerRound);
  expect(task.network).toEqual(defaultTask.network);
});

test('a whole task is taken as it is', async () => {
  const { task } = await readPlan(await planFile({ task: defaultTask }));
  expect(task).toEqual(defaultTask);
});

test('a plan may say how many have to cosign, and leaves it to the number of members otherwise', async () => {
  expect((await readPlan(await planFile({ witnesses: { quorum: 3 } }))).witnessQuorum).toBe(3);
  expect((await readPlan(await planFile({}))).witnessQuorum).toBeUndefined();
});

test.each([
  ['an unknown key', { colour: 'red' }, 'CONFIG'],
  ['more witnesses than a roster can have', { witnesses: { quorum: 256 } }, 'CONFIG'],
  ['no rounds', { rounds: { count: 0, quorum: 1 } }, 'CONFIG'],
  ['a task of another shape', { task: { ...defaultTask, network: {} } }, 'CONFIG'],
])('refuses a plan with %s', async (_, changes, code) => {
  await expect(readPlan(await planFile(changes))).rejects.toMatchObject({ code });
});
