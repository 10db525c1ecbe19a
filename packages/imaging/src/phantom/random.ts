/** A small seeded generator. The same seed gives the same numbers on every machine. Not for secrets. */
export interface Random {
  /** Uniform in [0, 1), a multiple of 2⁻³². */
  uniform(): number;
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** An integer, uniform in low..high, both included. */
  integer(low: number, high: number): number;
  /** Normal, by the polar method of Marsaglia, without a spare kept from call to call. */
  normal(mean?: number, stdDev?: number): number;
  /** An independent generator, named: what is drawn from it does not depend on what is drawn from this one. */
  fork(name: string): Random;
}

/**
 * sfc32, seeded from `seed` through splitmix-like mixing, and warmed up by 12 rounds.
 *
 * @throws {RangeError} when `seed` is not an integer in 0..2³²−1.
 * @see Chris Doty-Humphrey, PractRand: sfc32
 */
export function createRandom(seed: number): Random {
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
    throw new RangeError(`seed must be an integer in 0..2^32-1, got ${seed}`);
  }
  let a = mix(seed);
  let b = mix(a ^ 0x9e3779b9);
  let c = mix(b ^ 0x85ebca6b);
  let counter = 1;
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) next();

  const uniform = (): number => next() / 2 ** 32;
  const between = (low: number, high: number): number => low + (high - low) * uniform();
  return {
    uniform,
    between,
    integer: (low, high) => low + Math.floor(uniform() * (high - low + 1)),
    normal: (mean = 0, stdDev = 1) => {
      for (;;) {
        const u = 2 * uniform() - 1;
        const v = 2 * uniform() - 1;
        const s = u * u + v * v;
        if (s > 0 && s < 1) return mean + stdDev * u * Math.sqrt((-2 * Math.log(s)) / s);
      }
    },
    fork: (name) => {
      let hash = mix(seed ^ 0xc2b2ae35);
      for (let i = 0; i < name.length; i++) hash = mix(hash ^ name.charCodeAt(i));
      return createRandom(hash >>> 0);
    },
  };
}

/** The finaliser of MurmurHash3: every bit of the input changes about half of the output's. */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
