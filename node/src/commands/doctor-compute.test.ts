import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { engineNames } from '@consilium/compute';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ComputeReport } from '../compute-report.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'consilium-doctor-'));
});
afterEach(() => rm(folder, { recursive: true }));

interface Said {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function doctor(words: readonly string[], environment: Record<string, string> = {}): Promise<Said> {
  const cli = fileURLToPath(new URL('../cli.ts', import.meta.url));
  const args = ['--conditions=@consilium/source', cli, 'doctor', 'compute', ...words];
  const { CONSILIUM_COMPUTE: _, ...inherited } = process.env;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...args, '--folder', folder],
      { env: { ...inherited, ...environment } },
      (error, stdout, stderr) =>
        resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

test('without a site it tries every engine, and ends well since the default one works', async () => {
  const { status, stdout, stderr } = await doctor(['--json', '--measure', '0']);
  expect(status).toBe(0);
  const { chosen, engines }: ComputeReport = JSON.parse(stdout);
  expect(chosen).toMatchObject({ engine: 'onnx-cpu', source: 'default' });
  expect(engines.map(({ engine }) => engine)).toEqual(engineNames);
  expect(engines[0]).toMatchObject({ works: true, medianMs: null });
  for (const engine of engineNames) expect(stderr).toContain(`trying ${engine}`);
}, 120_000);

test('a site whose engine finds no device: a table, an error, a hint, and 1', async () => {
  await writeFile(join(folder, 'consilium.yaml'), 'name: a\ncompute: {engine: onnx-webgpu}\n');
  // No Vulkan driver of any kind.
  const none = join(folder, 'none.json');
  const { status, stdout, stderr } = await doctor(['--measure', '1', '--allow-software'], {
    VK_DRIVER_FILES: none,
    VK_ICD_FILENAMES: none,
  });
  expect(status).toBe(1);
  expect(stdout).toMatch(/^chosen {4}onnx-webgpu: compute\.engine in consilium\.yaml$/m);
  expect(stdout).toMatch(/^ {2}onnx-cpu +works +[\d.]+ ms\/step/m);
  expect(stdout).toMatch(/^\* onnx-webgpu +missing .*adapter/m);
  expect(stderr).toMatch(/^error: onnx-webgpu, which .* does not work here: .*adapter/m);
  expect(stderr).toMatch(/^hint: .*libvulkan1/m);
}, 120_000);

test.each([
  [['--measure', '1.5'], {}, 2, /^error: --measure needs a whole number/],
  [
    [],
    { CONSILIUM_COMPUTE: 'gpu' },
    1,
    /^error: CONSILIUM_COMPUTE names "gpu".*\nhint: one of onnx-cpu/,
  ],
])(
  '%j with %j is refused before anything is tried',
  async (words, environment, code, said) => {
    const { status, stdout, stderr } = await doctor(words, environment);
    expect(status).toBe(code);
    expect(stdout).toBe('');
    expect(stderr).toMatch(said);
  },
  30_000,
);
