/** `count` bytes, unpredictable or, in a simulation, from a seed. */
export type Random = (count: number) => Uint8Array;

/** A number in [0, 1), uniform over multiples of 2^-32. */
export function uniform(random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random(4);
  return (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) / 2 ** 32;
}

/**
 * How long to wait before attempt `attempt` (from 0): `baseMs` doubled each time up to `capMs`, then
 * multiplied by a factor drawn uniformly from [0.5, 1.5), so that peers which fell together do not
 * come back together. Between `baseMs / 2` and `1.5 * capMs`.
 */
export function backoffMs(
  random: Random,
  attempt: number,
  range: { baseMs: number; capMs: number },
): number {
  const doubled = range.baseMs * 2 ** Math.min(attempt, 30);
  return Math.min(doubled, range.capMs) * (0.5 + uniform(random));
}
