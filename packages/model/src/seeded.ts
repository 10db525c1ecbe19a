/** A small deterministic source of numbers: the same key gives the same numbers on every machine. Never for secrets or for privacy noise. */
export interface Seeded {
  /** The next 32 bits, as an integer in [0, 2^32). */
  uint32(): number;
  /** The next number in [0, 1), a multiple of 2^-32. */
  uniform(): number;
  /** The next number in [low, high). */
  between(low: number, high: number): number;
  /** The next integer in [0, count); `count` at most 2^24, so that the bias stays under 2^-8 of one part. */
  below(count: number): number;
  /**
   * The next number of mean 0 and variance 1, within ±6: the sum of twelve uniforms, less 6 (Irwin-Hall).
   * Sums of multiples of 2^-32 are exact in float64, so that no machine's logarithm or sine enters.
   */
  normal(): number;
}

/**
 * A generator for the given key, e.g. `seeded(7, 'augment', step)`: two keys that differ in one part give
 * unrelated numbers. Numbers in a key are taken as their decimal text.
 *
 * @see Doty-Humphrey 2010, PractRand: sfc32
 */
export function seeded(...key: readonly (string | number)[]): Seeded {
  let [a, b, c] = keyWords(key.join('\u0000'));
  let counter = 1;
  const uint32 = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 16; i++) {
    uint32();
  }
  const uniform = (): number => uint32() / 0x1_0000_0000;
  return {
    uint32,
    uniform,
    between: (low, high) => low + (high - low) * uniform(),
    below: (count) => Math.floor(uniform() * count),
    normal: () => {
      let sum = -6;
      for (let i = 0; i < 12; i++) {
        sum += uniform();
      }
      return sum;
    },
  };
}

/** Three words of 32 bits from a text, each a murmur-style hash with its own start. */
function keyWords(text: string): [number, number, number] {
  const hash = (start: number): number => {
    let h = start;
    for (let i = 0; i < text.length; i++) {
      h = Math.imul(h ^ text.charCodeAt(i), 0x9e3779b1);
      h ^= h >>> 15;
    }
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) | 0;
  };
  return [hash(0x243f6a88), hash(0x13198a2e), hash(0x03707344)];
}
