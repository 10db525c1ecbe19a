import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const here = dirname(fileURLToPath(import.meta.url));
const packages = join(here, '..', '..', '..');

/** Every module that a source file imports when it runs, its siblings’ included, as `node:…`, a package’s name, or a file. */
function reach(file: string, reached: Set<string>): Set<string> {
  if (reached.has(file)) return reached;
  reached.add(file);
  const text = readFileSync(file, 'utf8');
  const imports = [...text.matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)';/gm)];
  for (const [, name = ''] of imports) {
    const own = name.startsWith('.') ? join(dirname(file), name) : sourceOf(name);
    if (own === null) reached.add(name);
    else reach(own, reached);
  }
  return reached;
}

function sourceOf(name: string): string | null {
  const [, sibling = ''] = /^@consilium\/(\w+)$/.exec(name) ?? [];
  const index = join(packages, sibling, 'src', 'index.ts');
  return sibling !== '' && existsSync(index) ? index : null;
}

test('an audit reaches the study and what is below it: no network, no engine, nothing native', () => {
  const reached = [...reach(join(here, 'index.ts'), new Set())];
  const siblings = reached
    .filter((each) => each.startsWith(packages))
    .map((file) => file.slice(packages.length + 1).split('/')[0]);
  expect([...new Set(siblings)].sort()).toEqual([
    'averaging',
    'log',
    'privacy',
    'records',
    'study',
    'weights',
  ]);
  const others = reached.filter((each) => !each.startsWith('/'));
  // Files, hashes and timers; nothing that opens a connection or starts a process.
  expect(
    others.filter((each) => /^node:(child_process|dgram|dns|http|net|tls|worker)/.test(each)),
  ).toEqual([]);
  expect(others.filter((each) => each.startsWith('node:'))).toContain('node:crypto');
  expect(others.filter((each) => !each.startsWith('node:')).sort()).toEqual([
    '@ipld/dag-cbor',
    'multiformats/bases/base58',
    'tweetnacl',
  ]);
});
