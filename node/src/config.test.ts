import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkConfig, loadConfig, printConfig } from './config.ts';

let folder = '';
let path = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'consilium-config-'));
  path = join(folder, 'consilium.yaml');
});

afterEach(() => rm(folder, { recursive: true }));

const train = { kind: 'png', folder: 'data', patients: ['p1', 'p2'] };

test('fills in every default, so that what runs can be read', async () => {
  await writeFile(path, 'name: hospital-a\n');
  expect(await loadConfig(path)).toEqual({
    name: 'hospital-a',
    network: { listen: ['/ip4/0.0.0.0/tcp/4001'], syncSeconds: 30 },
    http: { host: '127.0.0.1', port: 0, tokens: [] },
    data: { train: null, test: null },
    compute: { engine: 'onnx-cpu', threads: 1, allowSoftware: false },
    training: { payloadBits: 16 },
    evaluation: { everyRounds: 1 },
    log: { level: 'info' },
  });
});

test('what it prints, it reads back as the same configuration', async () => {
  const config = checkConfig(
    {
      name: 'yes: # a "hard" name',
      network: { listen: [], syncSeconds: 2.5 },
      http: { host: '::1', port: 9090 },
      data: { train, test: { kind: 'phantom', profile: 'hospital-a', patients: 2 } },
      training: { payloadBits: 8 },
    },
    'test',
  );
  await writeFile(path, printConfig(config));
  expect(await loadConfig(path)).toEqual(config);
  expect(checkConfig(parse(printConfig(config)), 'test')).toEqual(config);
});

test.each<[what: string, value: unknown, said: RegExp]>([
  ['an unknown key', { name: 'a', nmae: 'b' }, /unknown key nmae at the top level/],
  ['an unknown key deep down', { name: 'a', http: { prot: 1 } }, /unknown key prot at http/],
  ['no name', {}, /: name: /],
  ['an empty name', { name: '' }, /: name: /],
  ['a port beyond 65535', { name: 'a', http: { port: 65_536 } }, /: http\.port: /],
  ['a port that is a text', { name: 'a', http: { port: '80' } }, /: http\.port: /],
  ['no time between asking', { name: 'a', network: { syncSeconds: 0 } }, /network\.syncSeconds/],
  ['a cohort of no kind', { name: 'a', data: { train: {} } }, /data\.train/],
  ['a cohort of nobody', { name: 'a', data: { train: { ...train, patients: [] } } }, /patients/],
  ['half a bit', { name: 'a', training: { payloadBits: 12 } }, /training\.payloadBits/],
  ['negative rounds', { name: 'a', evaluation: { everyRounds: -1 } }, /evaluation\.everyRounds/],
  [
    'an engine that there is not',
    { name: 'a', compute: { engine: 'onnx-tpu' } },
    /compute\.engine/,
  ],
  [
    'a scanner that there is not',
    { name: 'a', data: { train: { kind: 'phantom', profile: 'hospital-z', patients: 1 } } },
    /data\.train\.profile/,
  ],
  ['a list', ['name'], /the top level/],
  ['nothing', null, /the top level/],
])('refuses %s and names the place', (_, value, said) => {
  expect(() => checkConfig(value, 'consilium.yaml')).toThrow(
    expect.objectContaining({ code: 'CONFIG', message: expect.stringMatching(said) }),
  );
});

test.each([
  ['engine: cuda', { engine: 'cuda' }, /one of onnx-cpu, onnx-webgpu, .*doctor compute/],
  [
    'provider: cuda',
    { provider: 'cuda' },
    /compute\.provider has become compute\.engine: onnx-cpu/,
  ],
  ['thread: 2', { thread: 2 }, /config print --effective/],
])('compute with %s is refused, and the hint says what there is', (_, compute, hint) => {
  expect(() => checkConfig({ name: 'a', compute }, 'consilium.yaml')).toThrow(
    expect.objectContaining({ code: 'CONFIG', hint: expect.stringMatching(hint) }),
  );
});

test.each([
  ['that is not YAML', 'name: [a\nhttp: }', 'CONFIG'],
  ['with a key twice', 'name: a\nname: b\n', 'CONFIG'],
  ['that is empty', '', 'CONFIG'],
  [
    'that grows without end',
    `a: &a [x,x]\nb: &b [${'*a,'.repeat(9)}*a]\nname: [${'*b,'.repeat(99)}*b]`,
    'CONFIG',
  ],
])('refuses a file %s', async (_, text, code) => {
  await writeFile(path, text);
  await expect(loadConfig(path)).rejects.toMatchObject({ code });
});

test('says what to do when there is no configuration', async () => {
  await expect(loadConfig(path)).rejects.toMatchObject({
    code: 'FOLDER_MISSING',
    hint: expect.stringContaining('consilium init'),
  });
});
