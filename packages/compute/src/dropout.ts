import { ComputeError } from './error.ts';

const mostSeed = 2 ** 24;

/**
 * What a dropout layer multiplies its values with: 0 with probability `rate`, else 1 / (1 − rate). A pure function of the
 * arguments: value i comes from hashing (seed, stream, i), so that engines and repetitions agree bit for bit.
 *
 * @param seed a whole number from 0 up to 2^24, which float32 holds exactly.
 * @throws {ComputeError} `BAD_INPUT` for another seed.
 */
export function dropoutMask(
  seed: number,
  stream: number,
  length: number,
  rate: number,
): Float32Array {
  if (!Number.isInteger(seed) || seed < 0 || seed >= mostSeed) {
    throw new ComputeError('BAD_INPUT', `a dropout seed is a whole number below 2^24, got ${seed}`);
  }
  const key = mix(mix(seed + 0x9e3779b9) ^ stream);
  const kept = 1 / (1 - rate);
  const threshold = rate * 2 ** 32;
  const mask = new Float32Array(length);
  for (let i = 0; i < length; i++) mask[i] = mix(mix(i ^ key) + key) < threshold ? 0 : kept;
  return mask;
}

/** A bijection of 32 bits in which every bit of the result depends on every bit of `value`. @see Appleby 2011, MurmurHash3, fmix32 */
function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
