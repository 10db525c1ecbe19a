import { createCipheriv, createHash } from 'node:crypto';
import type { RandomBytes } from '@consilium/weights';

/** Bytes that a seed decides, for tests: AES-256 in counter mode. */
export function seeded(seed: string): RandomBytes {
  const key = createHash('sha256').update(seed).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  return (count) => cipher.update(Buffer.alloc(count));
}

/** A source that gives these 32-bit words, and then those of `then`. */
export function wordsThen(words: readonly number[], then: RandomBytes): RandomBytes {
  const first = Buffer.alloc(4 * words.length);
  for (const [i, word] of words.entries()) first.writeUInt32LE(word, 4 * i);
  let at = 0;
  return (count) => {
    const taken = first.subarray(at, at + count);
    at += taken.length;
    return Buffer.concat([taken, then(count - taken.length)]);
  };
}
