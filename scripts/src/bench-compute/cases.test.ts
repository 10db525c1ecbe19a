import { expect, test } from 'vitest';
import { referenceUNet } from '../reference-unet.ts';
import { allCases, chooseCases, forwardTo, quickCases } from './cases.ts';

test('the cases have names of their own', () => {
  const ids = allCases().map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toContain('train-4x128');
  expect(ids).toContain('read-300x256');
});

test.each([...allCases(), ...quickCases()])(
  '$id reads a scan in whole batches, to its end',
  (each) => {
    expect(Number.isInteger(each.runsInWhole)).toBe(true);
    expect(each.timedRuns ?? 1).toBeLessThanOrEqual(each.runsInWhole);
    expect(each.graph.outputs).toHaveLength(1);
  },
);

test('groups and single cases can be chosen, in the order of the list', () => {
  const ids = chooseCases(allCases(), ['read', 'train-16x256']).map(({ id }) => id);
  expect(ids).toEqual([
    'train-16x256',
    'read-128x256',
    'read-300x256',
    'read-128x512',
    'read-300x512',
  ]);
  expect(() => chooseCases(allCases(), ['train', 'trian'])).toThrow(/no case trian/);
});

test('a graph cut at its reading needs no target', () => {
  const whole = referenceUNet({ batch: 3, size: 16, widths: [4, 8], groups: 2 });
  const reading = forwardTo(whole, 'probability');
  expect(reading.inputs.map((index) => reading.nodes[index]?.name)).toEqual(['image']);
  expect(reading.parameters).toEqual(whole.parameters);
  expect(reading.nodes.at(-1)?.op).toBe('sigmoid');
});
