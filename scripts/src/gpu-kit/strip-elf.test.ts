import { expect, test } from 'vitest';
import { stripElf } from './strip-elf.ts';

/** A file with one loaded segment of `loaded` bytes behind header and table, and `surplus` bytes after it. */
function elf(loaded: number, surplus: number): Uint8Array {
  const file = new Uint8Array(64 + 56 + loaded + surplus).fill(9);
  const view = new DataView(file.buffer);
  view.setUint32(0, 0x7f454c46);
  view.setUint16(4, 0x0201);
  view.setBigUint64(32, 64n, true);
  view.setBigUint64(40, BigInt(120 + loaded), true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setBigUint64(64 + 8, 120n, true);
  view.setBigUint64(64 + 32, BigInt(loaded), true);
  return file;
}

test('keeps what is loaded, drops what is behind it, and leaves the original alone', () => {
  const file = elf(30, 500);
  const before = file.slice();
  const stripped = stripElf(file);
  expect(stripped).toHaveLength(150);
  expect(stripped.subarray(64)).toEqual(file.subarray(64, 150));
  expect(new DataView(stripped.buffer).getBigUint64(40, true)).toBe(0n);
  expect(file).toEqual(before);
  expect(stripElf(stripped)).toEqual(stripped);
});

test('refuses what is no program, or ends early', () => {
  expect(() => stripElf(new Uint8Array(200))).toThrow(RangeError);
  expect(() => stripElf(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46))).toThrow(RangeError);
  expect(() => stripElf(elf(30, 0).subarray(0, 140))).toThrow('ends before its byte 150');
});
