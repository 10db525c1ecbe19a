import { expect, test } from 'vitest';
import { codeUnions, unionsIn } from './error-codes.ts';
import { readPage, tableRows } from './page.ts';

const page = readPage('packages/docs/errors.md');
const unions = codeUnions();

test('finds the codes of every package', () => {
  expect(unions.map(({ name }) => name).sort()).toEqual(
    expect.arrayContaining(['FindingCode', 'LogErrorCode', 'NodeErrorCode', 'TrainerErrorCode']),
  );
  expect(unions.filter(({ codes }) => codes.length === 0)).toEqual([]);
});

test.each(unions)('$name: the page of errors has exactly its codes', ({ name, codes }) => {
  const rows = tableRows(page, name.replace(/Code$/, ''));
  expect(rows.map(([code]) => code).sort()).toEqual(codes.map((code) => `\`${code}\``).sort());
  expect(rows.filter((cells) => cells.length !== 3 || cells.includes(''))).toEqual([]);
});

test('the page of errors has no section whose class is gone', () => {
  const sections = [...page.text.matchAll(/^## (\w+(?:Error|Finding)|Finding)$/gm)].map(
    ([, name]) => name,
  );
  expect(sections.sort()).toEqual(unions.map(({ name }) => name.replace(/Code$/, '')).sort());
});

test('codes in comments are not codes', () => {
  expect(
    unionsIn("/** `'NO'` */ export type XCode =\n  /** it's 'NOT' */\n  | 'A'\n  | 'B_2';"),
  ).toEqual([{ name: 'XCode', codes: ['A', 'B_2'] }]);
});
