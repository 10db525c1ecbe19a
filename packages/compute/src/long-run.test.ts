import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('memory stays flat over 2,000 training steps', async () => {
  const child = fileURLToPath(new URL('./long-run-child.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--expose-gc',
    '--conditions=@consilium/source',
    child,
  ]);
  const [early = 0, late = 0]: number[] = JSON.parse(stdout);
  expect(early).toBeGreaterThan(2 ** 25);
  // Between them lie 1,600 steps, each of which hands in 24 kB and gets back 4 kB: kept, they would be 43 MiB.
  expect(late - early).toBeLessThan(2 ** 22);
}, 120_000);
