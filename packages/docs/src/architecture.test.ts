import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readPage, readPages, root, tableRows } from './page.ts';

interface PackageFile {
  readonly dependencies?: Readonly<Record<string, string>>;
}
interface TurboFile {
  readonly boundaries: {
    readonly tags: Readonly<
      Record<string, { readonly dependencies: { readonly allow?: readonly string[] } }>
    >;
  };
}

const page = readPage('packages/docs/architecture.md');
const rows = tableRows(page, 'Packages').map(([name = '', , may = '']) => ({
  name: /^\[`(\w+)`\]/.exec(name)?.[1] ?? '',
  may: may === '-' ? [] : may.split(', ').sort(),
}));
const { boundaries }: TurboFile = JSON.parse(readFileSync(join(root, 'turbo.json'), 'utf8'));

/** What the table lets a package import, and what that may import in turn. */
function reach(name: string): string[] {
  const direct = rows.find((row) => row.name === name)?.may ?? [];
  return [...new Set(direct.flatMap((sibling) => [sibling, ...reach(sibling)]))].sort();
}

test('the table of packages has every package with sources', () => {
  const packages = readdirSync(join(root, 'packages')).filter(
    (name) => name !== 'docs' && existsSync(join(root, 'packages', name, 'package.json')),
  );
  expect(rows.map(({ name }) => name).sort()).toEqual([...packages, 'node'].sort());
});

test.each(rows.filter(({ may }) => may.join() !== 'all'))(
  '$name may reach what is enforced, through others as well',
  ({ name }) => {
    expect(boundaries.tags[name]?.dependencies.allow?.toSorted()).toEqual(reach(name));
  },
);

test.each(rows.filter(({ may }) => may.join() !== 'all'))(
  '$name depends on no other package',
  ({ name, may }) => {
    const file = join(root, 'packages', name, 'package.json');
    const { dependencies = {} }: PackageFile = JSON.parse(readFileSync(file, 'utf8'));
    const siblings = Object.keys(dependencies)
      .filter((dependency) => dependency.startsWith('@consilium/'))
      .map((dependency) => dependency.slice('@consilium/'.length));
    expect(siblings.filter((sibling) => !may.includes(sibling))).toEqual([]);
  },
);

test('one round is told in ten steps, each with the files that do it', () => {
  const steps = tableRows(page, 'One round in ten steps');
  expect(steps.map(([number]) => Number(number))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(steps.filter(([, , where = '']) => !where.includes('.ts)'))).toEqual([]);
});

test.each([
  'README.md',
  'SECURITY.md',
  'packages/docs/README.md',
  'packages/docs/architecture.md',
  'packages/docs/errors.md',
  'packages/docs/threat-model.md',
  'packages/docs/guides/founder.md',
  'packages/docs/guides/hospital.md',
  'packages/docs/guides/researcher.md',
])('%s says that it is no medical device', (path) => {
  expect(readPage(path).text).toMatch(/research use only: not a medical device/i);
});

test('every specification says what it is for, what its limits are and why it is safe', () => {
  const specs = readPages().filter(({ path }) => path.startsWith('packages/docs/spec/'));
  expect(specs).toHaveLength(13);
  for (const { path, text } of specs) {
    expect(text, path).toContain('**Purpose.**');
    expect(text, path).toMatch(/^## Limits$/m);
    expect(text, path).toMatch(/^## Security$/m);
    expect(text, path).toMatch(/MUST/);
  }
});
