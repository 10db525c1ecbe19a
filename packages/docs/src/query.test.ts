import { type Operation, operations } from '@consilium/client';
import { expect, test } from 'vitest';
import { readPage, tableRows } from './page.ts';

const page = readPage('packages/docs/spec/query.md');

test('the table of what can be asked is the contract', () => {
  const stated = tableRows(page, 'What can be asked').map(([path, , roles]) => [path, roles]);
  const contract = Object.values<Operation>(operations).map(({ path, roles }) => [
    `\`${path}\``,
    roles.join(', '),
  ]);
  expect(stated.sort()).toEqual(contract.sort());
});

const shown = [...page.text.matchAll(/<!-- answer: (\w+) -->\n```json\n([\s\S]*?)```/g)].map(
  ([, name = '', text = '']) => ({ name, text }),
);

test('shows answers', () => {
  expect(shown.map(({ name }) => name)).toEqual(['state', 'diff', 'problem']);
});

test.each(shown.filter(({ name }) => name !== 'problem'))(
  'the answer $name is one of the contract',
  ({ name, text }) => {
    const { answer } = operations[name as 'diff' | 'state'];
    const value: unknown = JSON.parse(text);
    expect(answer.parse(value)).toEqual(value);
  },
);

test('the problem is one', () => {
  const { text = '' } = shown.find(({ name }) => name === 'problem') ?? {};
  expect(Object.keys(JSON.parse(text)).sort()).toEqual([
    'code',
    'detail',
    'status',
    'title',
    'type',
  ]);
});
