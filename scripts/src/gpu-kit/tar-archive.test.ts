import { execFileSync, spawnSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { gzipInPieces, type PackedFile, tarArchive } from './tar-archive.ts';

const hasTar = spawnSync('tar', ['--version']).status === 0;
const long = `${'folder/'.repeat(20)}${'n'.repeat(90)}`;
const files: PackedFile[] = [
  { path: 'b/run', bytes: Buffer.from('second\n'), executable: true },
  { path: long, bytes: new Uint8Array(513).fill(7), executable: false },
  { path: 'a.txt', bytes: new Uint8Array(0), executable: false },
];

test('the order in which files are given does not matter, nor does the time', () => {
  expect(tarArchive(files.toReversed()).equals(tarArchive(files))).toBe(true);
});

test.skipIf(!hasTar)('tar reads it: names, modes, sizes and contents (needs tar)', () => {
  const input = tarArchive(files);
  const listed = execFileSync('tar', ['-tv', '--utc', '--full-time'], { input, encoding: 'utf8' });
  const lines = listed
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/));
  expect(lines).toEqual([
    ['-rw-r--r--', '0/0', '0', '2026-01-01', '00:00:00', 'a.txt'],
    ['-rwxr-xr-x', '0/0', '7', '2026-01-01', '00:00:00', 'b/run'],
    ['-rw-r--r--', '0/0', '513', '2026-01-01', '00:00:00', long],
  ]);
  const content = execFileSync('tar', ['-xO', 'b/run'], { input, encoding: 'utf8' });
  expect(content).toBe('second\n');
});

test('refuses a path that no header holds', () => {
  const file = { path: 'n'.repeat(101), bytes: new Uint8Array(0), executable: false };
  expect(() => tarArchive([file])).toThrow(RangeError);
});

test('what is longer than one piece comes back whole', async () => {
  const bytes = Buffer.alloc(2 ** 24 + 12_345, 'consilium');
  const packed = await gzipInPieces(bytes);
  expect(gunzipSync(packed).equals(bytes)).toBe(true);
  expect((await gzipInPieces(bytes)).equals(packed)).toBe(true);
});
