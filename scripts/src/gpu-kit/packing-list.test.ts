import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canPack, kitName, packingList, unresolvedImports } from './packing-list.ts';
import { gzipInPieces, type PackedFile, tarArchive } from './tar-archive.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const hasTar = spawnSync('tar', ['--version']).status === 0;
const linux64 = process.platform === 'linux' && process.arch === 'x64';

describe.skipIf(!linux64 || !hasTar || !canPack(root))('the kit (needs Linux x64 and tar)', () => {
  let files: PackedFile[] = [];
  let folder = '';
  beforeAll(() => {
    files = packingList({ root, commit: 'of-a-test', vulkanLoader: Uint8Array.of(1, 2, 3) });
    folder = mkdtempSync(join(tmpdir(), 'consilium-gpu-kit-'));
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('holds whatever its programs import, and nothing twice', () => {
    expect(unresolvedImports(files)).toEqual([]);
    expect(new Set(files.map(({ path }) => path)).size).toBe(files.length);
    const worker = `${kitName}/app/node_modules/@consilium/compute/src/onnx-reading-worker.js`;
    expect(files.map(({ path }) => path)).toContain(worker);
  });

  test('would be seen to lack a file', () => {
    const without = files.filter(({ path }) => !path.endsWith('/compute/src/graph.js'));
    expect(unresolvedImports(without)).toContain(
      'app/node_modules/@consilium/compute/src/builder.js: ./graph.js',
    );
    const poorer = files.filter(({ path }) => !path.includes('/node_modules/fflate/'));
    expect(unresolvedImports(poorer).join()).toContain(': fflate');
  });

  test('is below 64 MiB', async () => {
    const archive = await gzipInPieces(tarArchive(files));
    expect(archive.length).toBeLessThan(64 * 2 ** 20);
  }, 300_000);

  test('unpacked into an empty folder, checks the processor with nothing but its own files', () => {
    writeFileSync(join(folder, 'kit.tar'), tarArchive(files));
    execFileSync('tar', ['-xf', 'kit.tar'], { cwd: folder });
    const out = join(folder, 'out');
    const home = join(folder, 'home');
    mkdirSync(home);
    const args = ['--engine', 'onnx-cpu', '--quick', '--threads', '1', '--out', out];
    const ran = spawnSync(
      join(folder, kitName, 'run.sh'),
      [...args, '--only', 'correctness,speed,profile'],
      { cwd: home, env: { PATH: '/usr/bin:/bin', HOME: home }, encoding: 'utf8' },
    );
    expect(ran.stderr).toBe('');
    expect(ran.stdout).toMatch(/^correctness: HELD \((\d+) of \1 compared\)$/m);
    expect(ran.status).toBe(0);
    const text = readFileSync(join(out, 'results.txt'), 'utf8');
    for (const heading of ['batch  size  median ms', 'ms a scan', 'prepare ms', 'of floor']) {
      expect(text).toContain(heading);
    }
    const results = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'));
    expect(results).toMatchObject({
      kit: { commit: 'of-a-test' },
      taken: { engine: 'onnx-cpu' },
      correctness: { held: true },
    });
    expect(results.speed.training.length).toBeGreaterThan(1);
  }, 300_000);

  test('refuses what it does not know, with the exit code of what could not be checked', () => {
    const run = (...args: string[]) =>
      spawnSync(join(folder, kitName, 'run.sh'), args, { env: {}, encoding: 'utf8' });
    expect(run('--engine', 'onnx-tpu')).toMatchObject({ status: 2 });
    expect(run('--engine', 'onnx-tpu').stderr).toContain('error: there is no engine onnx-tpu');
  });
});
