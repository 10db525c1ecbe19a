import { expect, test } from 'vitest';
import { encodeCheckpoint, signCheckpoint } from './checkpoint.ts';
import { encodeText } from './signed-note.ts';
import { testLog, testSeed, testVerify } from './test-signer.ts';
import { provesSplitView } from './witness-split-view.ts';

const log = testLog('hospital.example/log', testSeed(3));
const thief = testLog(log.name, testSeed(4));
const other = testLog('elsewhere.example/log', testSeed(3));
const signed = (size: number, fill: number, signer = log): Uint8Array =>
  encodeCheckpoint(signCheckpoint({ size, root: new Uint8Array(32).fill(fill) }, signer));
const proves = (first: Uint8Array, second: Uint8Array): boolean =>
  provesSplitView({ first, second }, log, testVerify);

test('two roots of one size, both signed by the log, prove that it told two stories', () => {
  expect(proves(signed(20, 1), signed(20, 2))).toBe(true);
  expect(proves(signed(20, 2), signed(20, 1))).toBe(true);
});

test.each([
  ['the same checkpoint twice', signed(20, 1), signed(20, 1)],
  ['two sizes', signed(20, 1), signed(21, 2)],
  ['one that somebody else signed', signed(20, 1), signed(20, 2, thief)],
  ['one of another log with the same key', signed(20, 1), signed(20, 2, other)],
  ['bytes that are no note', signed(20, 1), encodeText('20\n')],
])('is proven by nothing less: %s', (_, first, second) => {
  expect(proves(first, second)).toBe(false);
  expect(proves(second, first)).toBe(false);
});

test('a broken verifier is not taken for a missing proof', () => {
  const broken = () => {
    throw new TypeError('bug');
  };
  const [first, second] = [signed(20, 1), signed(20, 2)];
  expect(() => provesSplitView({ first, second }, log, broken)).toThrow(TypeError);
});
