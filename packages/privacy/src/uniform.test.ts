import type { RandomBytes } from '@consilium/weights';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seeded, wordsThen } from './random-fixture.ts';
import { createUniform } from './uniform.ts';

test('hands out every word of the source once and in order, across blocks', () => {
  const uniform = createUniform(seeded('order'));
  const bytes = seeded('order')(2 ** 16);
  for (let at = 0; at < 2 ** 16; at += 4) {
    expect(uniform.word()).toBe(new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true));
  }
});

test('wipes what the source returned, so that nobody draws it again', () => {
  const returned: Uint8Array[] = [];
  const random: RandomBytes = (count) => {
    const bytes = seeded('wiped')(count);
    returned.push(bytes);
    return bytes;
  };
  const uniform = createUniform(random);
  for (let i = 0; i < 5000; i++) uniform.word();
  expect(returned).toHaveLength(2);
  expect(returned.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
});

test('refuses a source that returns fewer bytes than it was asked for', () => {
  const uniform = createUniform((count) => new Uint8Array(count - 1));
  expect(() => uniform.word()).toThrow(RangeError);
});

test.each([
  [[0, 0], 0],
  [[1, 0], 1],
  [[0xffffffff, 0x7ff], 2 ** 32 - 1],
  [[0, 0x800], 2 ** 32],
  [[0xffffffff, 0xffffffff], 2 ** 53 - 1],
])('makes 53 bits of the words %j', (words, value) => {
  expect(createUniform(wordsThen(words, seeded('unused'))).word53()).toBe(value);
});

test.each([2, 3, 5, 6, 8, 1000])(
  'gives each number below %i for one pattern of its bits',
  (bound) => {
    const bits = Math.ceil(Math.log2(bound));
    const patterns = Array.from({ length: 2 ** bits }, (_, i) => 2 ** bits - 1 - i);
    const words = patterns.map((pattern) => pattern * 2 ** (32 - bits) + 5);
    const uniform = createUniform(wordsThen(words, seeded('unused')));
    for (let value = bound - 1; value >= 0; value--) expect(uniform.below(bound)).toBe(value);
  },
);

test('gives a number below any bound up to 2^53: the first run of bits that is below it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2 ** 32 + 1, max: 2 ** 53 }), fc.string(), (bound, seed) => {
      const words = createUniform(seeded(seed));
      const shift = 64n - BigInt((bound - 1).toString(2).length);
      let value: bigint;
      do {
        const low = BigInt(words.word());
        value = ((BigInt(words.word()) >> shift) << 32n) | low;
      } while (value >= BigInt(bound));
      expect(createUniform(seeded(seed)).below(bound)).toBe(Number(value));
    }),
  );
});

test('draws nothing for the only number below 1', () => {
  const uniform = createUniform(wordsThen([0xabcdef01], seeded('unused')));
  expect(uniform.below(1)).toBe(0);
  expect(uniform.word()).toBe(0xabcdef01);
});
