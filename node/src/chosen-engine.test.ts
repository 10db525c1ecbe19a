import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { engineNames } from '@consilium/compute';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { chosenEngine, engineWithoutSite } from './chosen-engine.ts';

let root = '';
let config = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'consilium-engine-'));
  config = join(root, 'consilium.yaml');
});
afterEach(() => rm(root, { recursive: true }));

test.each([
  ['nothing', 'name: a\n', undefined, { engine: 'onnx-cpu', source: 'default' }],
  ['no engine', 'name: a\ncompute: {threads: 3}\n', '', { engine: 'onnx-cpu', source: 'default' }],
  [
    'the default by name',
    'name: a\ncompute: {engine: onnx-cpu}\n',
    undefined,
    { engine: 'onnx-cpu', source: 'configuration' },
  ],
  [
    'another engine',
    'name: a\ncompute: {engine: tfjs-wasm}\n',
    undefined,
    { engine: 'tfjs-wasm', source: 'configuration' },
  ],
  [
    'another engine than the environment',
    'name: a\ncompute: {engine: tfjs-wasm}\n',
    'onnx-webgpu',
    { engine: 'onnx-webgpu', source: 'environment' },
  ],
])('a configuration that names %s', async (_, yaml, environment, expected) => {
  await writeFile(config, yaml);
  const chosen = await chosenEngine({ config }, { CONSILIUM_COMPUTE: environment });
  expect(chosen).toMatchObject(expected);
  expect(chosen.threads).toBe(yaml.includes('threads') ? 3 : 1);
});

test.each(['cpu', 'onnx-tpu', 'toString'])(
  'the environment names %j: refused, with the names that there are',
  async (name) => {
    await writeFile(config, 'name: a\n');
    const error = { code: 'CONFIG', message: expect.stringContaining(`"${name}"`) };
    const hint = expect.stringContaining(engineNames.join(', '));
    await expect(chosenEngine({ config }, { CONSILIUM_COMPUTE: name })).rejects.toMatchObject({
      ...error,
      hint,
    });
    expect(() => engineWithoutSite({ CONSILIUM_COMPUTE: name })).toThrow(
      expect.objectContaining({ ...error, hint }),
    );
  },
);

test('without a site the environment counts, and the default', () => {
  expect(engineWithoutSite({})).toMatchObject({ engine: 'onnx-cpu', source: 'default' });
  expect(engineWithoutSite({ CONSILIUM_COMPUTE: 'tfjs-node' })).toMatchObject({
    engine: 'tfjs-node',
    source: 'environment',
  });
});
