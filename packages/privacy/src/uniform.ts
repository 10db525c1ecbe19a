import type { RandomBytes } from '@consilium/weights';

/** Uniform integers, drawn from random bytes that are each used once. */
export interface UniformSource {
  /** 0…2^32 − 1. */
  word(): number;
  /** 0…2^53 − 1. */
  word53(): number;
  /** 0…bound − 1, without modulo bias; `bound` is a whole number in 1…2^53. */
  below(bound: number): number;
}

const blockBytes = 2 ** 14;

/**
 * Reads `random` in blocks of 16 KiB, as 32-bit little-endian words.
 *
 * Each word is overwritten with zero when it is handed out, and so is the array that `random` returned: memory that is looked at later
 * does not tell the noise of an earlier release.
 *
 * @throws {RangeError} from every method when `random` returns another number of bytes than it was asked for.
 */
export function createUniform(random: RandomBytes): UniformSource {
  const block = new Uint8Array(blockBytes);
  const words = new DataView(block.buffer);
  let at = blockBytes;

  function refill(): void {
    const bytes = random(blockBytes);
    if (bytes.length !== blockBytes) {
      throw new RangeError(`asked for ${blockBytes} random bytes, got ${bytes.length}`);
    }
    block.set(bytes);
    bytes.fill(0);
    at = 0;
  }

  function word(): number {
    if (at === blockBytes) refill();
    const value = words.getUint32(at, true);
    words.setUint32(at, 0);
    at += 4;
    return value;
  }

  function word53(): number {
    const low = word();
    return (word() >>> 11) * 2 ** 32 + low;
  }

  function below(bound: number): number {
    // The shortest run of bits that holds bound − 1, drawn again until it is below: kept at least every second time.
    if (bound <= 2 ** 32) {
      const spare = Math.clz32(bound - 1);
      if (spare === 32) return 0;
      for (;;) {
        const value = word() >>> spare;
        if (value < bound) return value;
      }
    }
    const spare = Math.clz32((bound - 1) / 2 ** 32);
    for (;;) {
      const low = word();
      const value = (word() >>> spare) * 2 ** 32 + low;
      if (value < bound) return value;
    }
  }

  return { word, word53, below };
}
