import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PlannedBundle } from '@consilium/study/audit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkFree, partialPath, writeBundle } from './bundle-output.ts';

let folder = '';
const path = (): string => join(folder, 'bundle.tar');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'consilium-output-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Twelve files of some kilobytes each; `read` hears which are asked for. */
function bundleOf(read: (name: string) => void = () => undefined): PlannedBundle {
  const files = Array.from({ length: 12 }, (_, i) => {
    const name = `file-${i}`;
    const bytes = 3_000 + 100 * i;
    const content = new Uint8Array(bytes).fill(i + 1);
    const sha256 = createHash('sha256').update(content).digest('hex');
    return {
      name,
      bytes,
      sha256,
      content: async () => {
        read(name);
        return content;
      },
    };
  });
  const index = {
    format: 'consilium audit bundle' as const,
    version: 1 as const,
    study: '1a'.repeat(32),
    payloads: true,
    state: { digest: '2b'.repeat(32), heads: [] },
    files: files.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })),
  };
  return { index, files, bytes: 0 };
}

test('a bundle that was stopped goes on where it stopped, and is the same file', async () => {
  await writeBundle(path(), bundleOf());
  const whole = await readFile(path());
  await rm(path());
  const stop = new AbortController();
  let pieces = 0;
  const stopped = writeBundle(path(), bundleOf(), {
    signal: stop.signal,
    onProgress: () => {
      pieces++;
      if (pieces === 14) stop.abort(new Error('stopped'));
    },
  });
  await expect(stopped).rejects.toThrow('stopped');
  await expect(stat(path())).rejects.toMatchObject({ code: 'ENOENT' });
  const asked: string[] = [];
  const there = await writeBundle(
    path(),
    bundleOf((name) => asked.push(name)),
  );
  expect(there).toBeGreaterThan(10_000);
  expect(asked).not.toContain('file-1');
  expect(asked).toContain('file-11');
  expect(whole.equals(await readFile(path()))).toBe(true);
  await expect(stat(partialPath(path()))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('what another export left is not gone on with', async () => {
  await writeFile(partialPath(path()), 'something else that is rather long'.repeat(2_000));
  expect(await writeBundle(path(), bundleOf())).toBe(0);
  const size = (await stat(path())).size;
  await rm(path());
  await writeBundle(path(), bundleOf());
  expect((await stat(path())).size).toBe(size);
});

test('nothing is overwritten', async () => {
  await checkFree(path());
  await writeFile(path(), 'mine');
  await expect(checkFree(path())).rejects.toMatchObject({ code: 'FILE_EXISTS' });
});
