import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byteRange } from './byte-range.ts';

test.each([
  [undefined, null],
  ['', null],
  ['bytes=0-0', { from: 0, to: 1 }],
  ['bytes=3-5', { from: 3, to: 6 }],
  ['bytes=3-', { from: 3, to: 10 }],
  ['bytes=-4', { from: 6, to: 10 }],
  ['bytes=-99', { from: 0, to: 10 }],
  ['bytes=9-99', { from: 9, to: 10 }],
  ['bytes=10-', 'unsatisfiable'],
  ['bytes=99-100', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=5-3', null],
  ['bytes=-', null],
  ['bytes=0-1,3-4', null],
  ['items=0-1', null],
  ['bytes=0x1-2', null],
  [`bytes=${'9'.repeat(40)}-`, null],
])('%j of ten bytes is %j', (header, range) => {
  expect(byteRange(header, 10)).toEqual(range);
});

test('of no bytes there is no part', () => {
  for (const header of ['bytes=0-', 'bytes=-1', 'bytes=0-0'])
    expect(byteRange(header, 0)).toBe('unsatisfiable');
});

test('never leaves the file, whatever is asked for', () => {
  const header = fc.oneof(
    fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `bytes=${a}-${b}`),
    fc.nat().map((a) => `bytes=${a}-`),
    fc.nat().map((a) => `bytes=-${a}`),
    fc.string(),
  );
  fc.assert(
    fc.property(header, fc.nat(1000), (text, size) => {
      const range = byteRange(text, size);
      if (range === null || range === 'unsatisfiable') return;
      expect(range.from).toBeGreaterThanOrEqual(0);
      expect(range.to).toBeGreaterThan(range.from);
      expect(range.to).toBeLessThanOrEqual(size);
    }),
    { seed: 2 },
  );
});
