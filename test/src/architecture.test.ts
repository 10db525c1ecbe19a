import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** Sources of a workspace that go to users: neither tests nor their helpers. */
function sourcesOf(folder: string): string[] {
  return readdirSync(join(root, folder, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !/\.test\.ts$|fixture|test-/.test(name))
    .map((name) => join(folder, 'src', name));
}

const packages = readdirSync(join(root, 'packages')).map((name) => `packages/${name}`);

test.each([
  [/^(libp2p|@libp2p\/.*|@multiformats\/.*|it-pipe)$/, ['packages/network']],
  [/^onnxruntime-node$/, ['packages/compute']],
  [/^@tensorflow\//, ['packages/compute']],
  [/^tweetnacl$/, ['packages/records']],
  [/^level$/, ['node', 'test']],
])('has one home for %s', (vendor, homes) => {
  const users = [...packages, 'node', 'scripts', 'test'].filter((folder) => {
    const { dependencies = {} } = JSON.parse(
      readFileSync(join(root, folder, 'package.json'), 'utf8'),
    );
    return Object.keys(dependencies).some((name) => vendor.test(name));
  });
  expect(users).toEqual(homes);
});

describe('below node/, what waits, draws, reads a clock or speaks is injected', () => {
  const forbidden =
    /\b(Math\.random|Date\.now|performance\.now|process\.env|console\.\w+|setTimeout|setInterval)\b/;
  test.each(packages.filter((folder) => folder !== 'packages/docs'))('in %s', (folder) => {
    const offenders = sourcesOf(folder).flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .map((line, i) => ({ line, at: `${file}:${i + 1}` }))
        .filter(({ line }) => forbidden.test(line.replace(/^\s*(\/\/|\*|\/\*).*$/, '')))
        .map(({ at, line }) => `${at} ${line.trim()}`),
    );
    expect(offenders).toEqual([]);
  });
});

test('an auditor’s package and all under it load without network, engine or native code', async () => {
  const seen = new Set<string>();
  const visit = (folder: string): void => {
    const { dependencies = {} } = JSON.parse(
      readFileSync(join(root, folder, 'package.json'), 'utf8'),
    );
    for (const name of Object.keys(dependencies)) {
      if (seen.has(name)) continue;
      seen.add(name);
      if (name.startsWith('@consilium/')) visit(`packages/${name.slice('@consilium/'.length)}`);
    }
  };
  visit('packages/study');
  expect([...seen].sort()).toEqual([
    '@consilium/averaging',
    '@consilium/log',
    '@consilium/privacy',
    '@consilium/records',
    '@consilium/weights',
    '@ipld/dag-cbor',
    'abstract-level',
    'multiformats',
    'tweetnacl',
  ]);
});
