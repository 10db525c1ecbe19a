import { execFile, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FullDiskReport } from './full-disk-child.ts';
import { foundStudy } from './tiny-study.ts';

const child = join(import.meta.dirname, 'full-disk-child.ts');
/** A mount of its own, seen by this process alone, so that a small full disk needs no privilege and harms nobody. */
const onSmallDisk = 'mount -t tmpfs -o size=2m none "$1" && shift && exec "$@"';
const canMount = spawnSync('unshare', ['-rm', 'true']).status === 0;

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'consilium-full-disk-'));
});
afterAll(() => rm(root, { recursive: true }));

test.skipIf(!canMount)(
  'whatever room a disk has left, the node ends with an error and a hint or does its work, and loses nothing (user namespaces)',
  async () => {
    const { folders } = await foundStudy(
      root,
      [{ name: 'hospital-a', role: 'trainer', train: 1, test: 5, port: 0 }],
      { rounds: { count: 1, quorum: 1, deadlineSeconds: 600 } },
    );
    const disk = join(root, 'disk');
    await mkdir(disk);
    const { stdout } = await promisify(execFile)('unshare', [
      ...['-rm', 'sh', '-c', onSmallDisk, 'sh', disk],
      ...[process.execPath, '--conditions=@consilium/source', child, disk, folders[0] as string],
    ]);
    const reports = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as FullDiskReport);
    expect(reports.map(({ roomKiB }) => roomKiB)).toEqual([0, 20, 64]);
    for (const { roomKiB, ended, kindsBefore, kindsAfter } of reports) {
      if (ended !== null) {
        expect({ roomKiB, ...ended }).toEqual({
          roomKiB,
          code: 1,
          stderr: expect.stringMatching(/^error: [^\n]+\nhint: [^\n]*space[^\n]*\n$/),
        });
      }
      expect(kindsBefore[0]).toBe('manifest');
      expect(kindsAfter.slice(0, kindsBefore.length)).toEqual(kindsBefore);
      expect(kindsAfter).toEqual(['manifest', 'update', 'evaluation']);
    }
    expect(reports[0]?.ended).not.toBeNull();
  },
  400_000,
);
