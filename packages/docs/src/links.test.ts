import { existsSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { anchorsOf, linksOf, pathsNamedIn, readPages, root } from './page.ts';

const pages = readPages();
const byPath = new Map(pages.map((page) => [page.path, page]));

test.each(pages)('every link in $path leads somewhere', (page) => {
  const broken = linksOf(page).filter(({ target, anchor }) => {
    const path = target === '' ? page.path : normalize(join(dirname(page.path), target));
    const file = join(root, path);
    if (path.startsWith('..') || !existsSync(file)) return true;
    if (anchor === null) return false;
    const other = byPath.get(path);
    return other === undefined || statSync(file).isDirectory() || !anchorsOf(other).has(anchor);
  });
  expect(broken).toEqual([]);
});

test.each(pages)('every file that $path names exists', (page) => {
  expect(pathsNamedIn(page).filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('every page of the documentation can be reached from its first page', () => {
  const first = 'packages/docs/README.md';
  const reached = new Set([first]);
  for (const path of reached) {
    const page = byPath.get(path);
    for (const { target } of page === undefined ? [] : linksOf(page)) {
      const next = normalize(join(dirname(path), target));
      if (byPath.has(next)) reached.add(next);
    }
  }
  const all = pages.map(({ path }) => path).filter((path) => path.startsWith('packages/docs/'));
  expect(all.filter((path) => !reached.has(path))).toEqual([]);
});

test('a broken link, a missing anchor and a missing file would be seen', () => {
  const page = {
    path: 'x.md',
    text: '# A `b` c\n[a](no.md) [b](#a-b-c) [c](https://x.y) `node/no.ts`',
  };
  expect(linksOf(page)).toEqual([
    { page: 'x.md', target: 'no.md', anchor: null },
    { page: 'x.md', target: '', anchor: 'a-b-c' },
  ]);
  expect([...anchorsOf(page)]).toEqual(['a-b-c']);
  expect(pathsNamedIn(page)).toEqual(['node/no.ts']);
});
