import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testKey } from './fixtures.ts';
import { loadKey, saveKey } from './key-file.ts';

const key = testKey(11);
const seedHex = Buffer.from(key.secretKey.slice(0, 32)).toString('hex');
let folder = '';
let path = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'consilium-key-'));
  path = join(folder, 'site.key');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('loads the key that it saved, from a file that only the owner may read', async () => {
  const umask = process.umask(0);
  try {
    await expect(saveKey(path, key)).resolves.toBeUndefined();
  } finally {
    process.umask(umask);
  }
  expect((await stat(path)).mode & 0o7777).toBe(0o600);
  expect(await loadKey(path)).toEqual(key);
});

test('leaves nothing beside the file', async () => {
  await saveKey(path, key);
  expect(await readdir(folder)).toEqual(['site.key']);
});

test('never replaces an existing file, and leaves nothing beside it then', async () => {
  await saveKey(path, key);
  await expect(saveKey(path, testKey(12))).rejects.toMatchObject({ code: 'KEY_FILE_EXISTS' });
  expect(await loadKey(path)).toEqual(key);
  expect(await readdir(folder)).toEqual(['site.key']);
});

test('lets one of many win who save at once', async () => {
  const keys = [20, 21, 22, 23, 24].map(testKey);
  const results = await Promise.allSettled(keys.map((each) => saveKey(path, each)));
  const winners = keys.filter((_, i) => results[i]?.status === 'fulfilled');
  expect(winners).toHaveLength(1);
  expect(await loadKey(path)).toEqual(winners[0]);
});

test('says when there is no file', async () => {
  await expect(loadKey(path)).rejects.toMatchObject({ code: 'KEY_FILE_MISSING' });
});

test.each([0o644, 0o640, 0o660, 0o606, 0o700, 0o400, 0o4600])(
  'refuses mode %o and names the command that mends it',
  async (mode) => {
    await saveKey(path, key);
    await chmod(path, mode);
    const octal = mode.toString(8).padStart(4, '0');
    await expect(loadKey(path)).rejects.toMatchObject({
      code: 'KEY_FILE_MODE',
      message: `${path} has mode ${octal}, wanted a file of mode 0600: chmod 600 ${path}`,
    });
  },
);

test('refuses a folder', async () => {
  await mkdir(path, { mode: 0o600 });
  await expect(loadKey(path)).rejects.toMatchObject({ code: 'KEY_FILE_MODE' });
});

test.each([
  ['an empty file', () => ''],
  ['half a file', (content: string) => content.slice(0, -10)],
  ['a line more', (content: string) => `${content}x\n`],
  ['another format', (content: string) => content.replace('/1', '/2')],
  ['the name of another site', (content: string) => content.replace(key.id, testKey(12).id)],
  [
    'a changed seed',
    (content: string) => content.replace(/[0-9a-f](?=\n$)/, (d) => (d === '0' ? '1' : '0')),
  ],
  ['a very large file', (content: string) => content + 'x'.repeat(1_000_000)],
])('refuses %s, without a word of the secret', async (_, damage) => {
  await saveKey(path, key);
  await writeFile(path, damage(await readFile(path, 'utf8')));
  const error: unknown = await loadKey(path).catch((e: unknown) => e);
  expect(error).toMatchObject({ code: 'KEY_FILE_CONTENT' });
  expect(String(error) + JSON.stringify(error)).not.toContain(seedHex.slice(0, 16));
});
