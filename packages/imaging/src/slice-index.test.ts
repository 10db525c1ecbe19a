import { expect, test } from 'vitest';
import { parseSliceIndex } from './slice-index.ts';

test('keeps the order of patients and slices, whatever the order of columns and the line ends', () => {
  const index = parseSliceIndex('case,slice\r\np2,0009\r\np1,0003\r\np2,0004\r\n', 'i.csv');
  expect([...index]).toEqual([
    ['p2', ['0009', '0004']],
    ['p1', ['0003']],
  ]);
});

test.each([
  ['an unknown column', 'slice,case,age\n0001,p1,77\n', 'line 1'],
  ['other columns', 'file,case\n0001,p1\n', 'line 1'],
  ['one column twice', 'slice,slice\n0001,p1\n', 'line 1'],
  ['no slice', 'slice,case\n', 'names no slice'],
  ['nothing at all', '', 'line 1'],
  ['a missing field', 'slice,case\n0001,p1\n0002\n', 'line 3'],
  ['a field too many', 'slice,case\n0001,p1,x\n', 'line 2'],
  ['an empty case', 'slice,case\n0001,\n', 'line 2'],
  ['a slice that leads out of the folder', 'slice,case\n../0001,p1\n', 'line 2'],
  ['a slice named twice', 'slice,case\n0001,p1\n0001,p2\n', 'line 3'],
])('refuses %s', (_, text, message) => {
  expect(() => parseSliceIndex(text, 'i.csv')).toThrow(
    expect.objectContaining({ code: 'BAD_INDEX', message: expect.stringContaining(message) }),
  );
});
