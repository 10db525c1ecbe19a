import { expect, test } from 'vitest';
import { byteWords, ProgressLine } from './progress-line.ts';

function lineOn(isTTY: boolean): { line: ProgressLine; told: string[]; clock: { ms: number } } {
  const told: string[] = [];
  const clock = { ms: 5_000 };
  const output = { isTTY, write: (text: string) => told.push(text) };
  return { line: new ProgressLine('reading', output, () => clock.ms), told, clock };
}

test('a terminal sees a bar, the rate and the time left, drawn over', () => {
  const { line, told, clock } = lineOn(true);
  line.show({ doneBytes: 0, totalBytes: 8_000_000 });
  clock.ms += 2_000;
  line.show({ doneBytes: 2_000_000, totalBytes: 8_000_000 });
  expect(told.at(-1)).toBe(
    '\rreading [######..................]  25 % 2.00 MB of 8.00 MB, 1.00 MB/s, 6 s left\u001b[K',
  );
  clock.ms += 10;
  line.show({ doneBytes: 2_100_000, totalBytes: 8_000_000 });
  expect(told).toHaveLength(2);
  line.end();
  line.end();
  expect(told.slice(2)).toEqual(['\n']);
});

test('a file gets a line for every quarter, and the last one', () => {
  const { line, told, clock } = lineOn(false);
  for (let done = 0; done <= 100; done += 5) {
    clock.ms += 1_000;
    line.show({ doneBytes: done, totalBytes: 100 });
  }
  line.end();
  expect(told.map((text) => /(\d+) %/.exec(text)?.[1])).toEqual(['25', '50', '75', '100']);
  expect(told.every((text) => text.endsWith('\n') && !text.includes('\r'))).toBe(true);
});

test('a file gets nothing about what is done in a moment', () => {
  const { line, told, clock } = lineOn(false);
  clock.ms += 900;
  line.show({ doneBytes: 100, totalBytes: 100 });
  line.end();
  expect(told).toEqual([]);
});

test('the rate is of this run, not of what was there before', () => {
  const { line, told, clock } = lineOn(true);
  line.show({ doneBytes: 6_000_000, totalBytes: 8_000_000 });
  clock.ms += 1_000;
  line.show({ doneBytes: 7_000_000, totalBytes: 8_000_000 });
  expect(told.at(-1)).toContain('1.00 MB/s, 1 s left');
});

test.each([
  [0, '0 bytes'],
  [999, '999 bytes'],
  [1_500, '1.50 kB'],
  [123_456_789, '123 MB'],
  [1.6e9, '1.60 GB'],
  [7e15, '7.00e+3 TB'],
])('%f bytes are %s', (bytes, words) => {
  expect(byteWords(bytes)).toBe(words);
});
