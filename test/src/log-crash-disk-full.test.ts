import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const child = join(import.meta.dirname, 'log-crash-disk-full-child.ts');
/** A mount of its own, seen by this process alone, so that a small full disk needs no privilege and harms nobody. */
const onSmallDisk = 'mount -t tmpfs -o size=2m none "$1" && shift && exec "$@"';
const canMount = spawnSync('unshare', ['-rm', 'true']).status === 0;

test.skipIf(!canMount)(
  'says DISK_FULL on a full disk, serves nothing half-written, keeps what was there, and goes on once there is room (user namespaces)',
  () => {
    const output = execFileSync(
      'unshare',
      [
        '-rm',
        'sh',
        '-c',
        onSmallDisk,
        'sh',
        '/mnt',
        process.execPath,
        '--conditions=@consilium/source',
        '--disable-warning=ExperimentalWarning',
        child,
        '/mnt',
      ],
      { encoding: 'utf8' },
    );
    expect(JSON.parse(output)).toEqual({
      putRefused: 'DISK_FULL',
      putServed: false,
      partialRefused: 'DISK_FULL',
      partialKept: 300_000,
      appendRefused: 'DISK_FULL',
      entriesReadable: true,
      temporaries: [],
      smallBlobStillThere: true,
      putAfterRoom: true,
      partialAfterRoom: true,
      logAfterReopen: 'whole',
    });
  },
  30_000,
);
