import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { holderOf } from '../api/tokens.ts';
import { loadConfig } from '../config.ts';
import { siteFolder } from '../site-folder.ts';
import { tokenCreate } from './token-create.ts';

let root = '';
let printed: string[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'consilium-token-'));
  printed = [];
});
afterEach(() => rm(root, { recursive: true }));

async function create(options: Record<string, string | boolean>): Promise<void> {
  await tokenCreate.run({
    folder: siteFolder(root),
    positionals: [],
    options,
    print: (text) => printed.push(text),
    write: async () => undefined,
    signal: new AbortController().signal,
  });
}

const config = (): Promise<string> => readFile(join(root, 'consilium.yaml'), 'utf8');

describe.each([
  ['without a section for HTTP', 'name: a # ours\n'],
  ['with one', '# first\nname: a # ours\nhttp:\n  port: 9464 # known\n'],
  ['with an empty list', 'name: a # ours\nhttp: { port: 9464, tokens: [] }\n'],
])('a configuration %s', (_, text) => {
  test('gets the hash of a token that is shown once, and keeps its comments', async () => {
    await writeFile(join(root, 'consilium.yaml'), text);
    await create({ role: 'researcher', name: 'dr who', json: true });
    await create({ role: 'auditor', name: 'somebody' });
    const { token } = JSON.parse(printed[0] ?? '') as { token: string };
    expect(await config()).toContain('name: a # ours');
    expect(await config()).not.toContain(token.slice('consilium_'.length));
    const { http } = await loadConfig(join(root, 'consilium.yaml'));
    expect(holderOf(token, http.tokens)).toEqual({ name: 'dr who', role: 'researcher' });
    const [, other = ''] = /^token +(\S+)$/.exec(printed[1] ?? '') ?? [];
    expect(holderOf(other, http.tokens)).toEqual({ name: 'somebody', role: 'auditor' });
    expect(http.port).toBe(text.includes('9464') ? 9464 : 0);
  });
});

test.each<[string, Record<string, string>]>([
  ['no role', { name: 'x' }],
  ['no name', { role: 'auditor' }],
  ['a role that there is not', { name: 'x', role: 'admin' }],
  ['a name that is taken', { name: 'taken', role: 'auditor' }],
])('refuses %s and changes nothing', async (_, options) => {
  await writeFile(join(root, 'consilium.yaml'), 'name: a\n');
  await create({ role: 'auditor', name: 'taken' });
  const before = await config();
  await expect(create(options)).rejects.toMatchObject({ code: 'USAGE' });
  expect(await config()).toBe(before);
});
