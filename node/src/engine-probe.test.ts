import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ProbeOptions, probeEngine } from './engine-probe.ts';
import { failingOnnx } from './failing-onnx-fixture.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'consilium-probe-'));
});
afterEach(() => rm(folder, { recursive: true }));

const options = (change: Partial<ProbeOptions> = {}): ProbeOptions => ({
  steps: 3,
  signal: new AbortController().signal,
  onStep: () => undefined,
  execArgv: ['--conditions=@consilium/source'],
  ...change,
});
const onnx = { engine: 'onnx-cpu', threads: 2 } as const;

/** Arguments for a process that first runs `source`. */
async function preloaded(source: string): Promise<readonly string[]> {
  const file = join(folder, 'preload.mjs');
  await writeFile(file, source);
  return ['--conditions=@consilium/source', '--import', pathToFileURL(file).href];
}

test('an engine that works tells its device, its gradient and its pace, step by step', async () => {
  const seen: number[] = [];
  const probe = await probeEngine(onnx, options({ onStep: (step) => seen.push(step) }));
  expect(probe).toMatchObject({
    engine: 'onnx-cpu',
    works: true,
    device: expect.stringMatching(/2 of \d+ threads$/),
    gradientNorm: expect.closeTo(1.283, 2),
    medianMs: expect.any(Number),
  });
  expect(seen).toEqual([1, 2, 3]);
});

test('without steps nothing is measured', async () => {
  const probe = await probeEngine(onnx, options({ steps: 0 }));
  expect(probe).toMatchObject({ works: true, medianMs: null });
});

test('an engine that is not there says why', async () => {
  const probe = await probeEngine({ engine: 'onnx-cuda' }, options());
  expect(probe).toMatchObject({ works: false, code: 'PROVIDER_MISSING' });
});

test.each([
  ['a run that fails', 'runs > 1', 'the GPU was removed', 'ENGINE_FAILED'],
  ['memory that holds not one sample', 'samples > 0', 'std::bad_alloc', 'OUT_OF_MEMORY'],
])('%s is no engine that works', async (_, condition, words, code) => {
  const execArgv = await failingOnnx(join(folder, 'a.mjs'), condition, words);
  const probe = await probeEngine(onnx, options({ execArgv }));
  expect(probe).toMatchObject({ works: false, code, reason: expect.stringContaining(words) });
});

test('a driver that crashes takes its own process alone, and its last words are told', async () => {
  const execArgv = await preloaded(
    `process.on('message', () => {
      process.stderr.write('driver: fatal', () => process.kill(process.pid, 'SIGSEGV'));
    });`,
  );
  const probe = await probeEngine(onnx, options({ execArgv }));
  expect(probe).toEqual({
    engine: 'onnx-cpu',
    works: false,
    code: 'CRASHED',
    reason: 'the process ended with SIGSEGV: driver: fatal',
  });
});

test('a driver that hangs is given up', async () => {
  const execArgv = await preloaded(`process.on('message', () => { for (;;) {} });`);
  const probe = await probeEngine(onnx, options({ execArgv, timeoutMs: 300 }));
  expect(probe).toMatchObject({ works: false, code: 'TIMEOUT', reason: 'no answer within 0.3 s' });
});

test('an abort ends it with the reason', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const onStep = (): void => controller.abort(reason);
  const probing = probeEngine(onnx, options({ steps: 5000, signal: controller.signal, onStep }));
  await expect(probing).rejects.toBe(reason);
});
