import { createHash } from 'node:crypto';
import { initialWeights, smallTask } from '@consilium/model';
import { keyFromSeed } from '@consilium/records';
import { expect, test } from 'vitest';
import { foundStudy, type StudyPlan } from './founding.ts';

const task = {
  ...smallTask,
  network: { size: 16, cropSize: 16, slices: 1, channels: [4, 4], groupChannels: 4 },
};

/** A plan for so many members, of which the first trains, the last observes and the others validate. */
function plan(members: number): StudyPlan {
  const role = (i: number): 'observer' | 'trainer' | 'validator' =>
    i === 0 ? 'trainer' : i === members - 1 ? 'observer' : 'validator';
  return {
    name: 's',
    task,
    rounds: { count: 3, deadlineSeconds: 60, quorum: 1 },
    privacy: null,
    start: initialWeights(task.network, 1),
    roster: Array.from({ length: members }, (_, i) => ({
      site: keyFromSeed(createHash('sha256').update(`${i}`).digest()).id,
      name: `site ${i}`,
      role: role(i),
      patients: i === 0 ? 20 : 0,
      addresses: [],
    })),
  };
}

const digestOf = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

test.each([
  [1, 0],
  [3, 2],
  [7, 4],
])('of %s members, whatever their roles, %s others have to cosign', (members, quorum) => {
  expect(foundStudy(plan(members), digestOf).manifest.witnesses).toEqual({ quorum });
});

test('a founder may want another number', () => {
  const wanted = { ...plan(7), witnessQuorum: 6 };
  expect(foundStudy(wanted, digestOf).manifest.witnesses).toEqual({ quorum: 6 });
});
