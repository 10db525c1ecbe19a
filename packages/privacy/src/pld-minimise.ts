/**
 * Where `f`, which falls and then rises over the positive numbers, is smallest, to within a thousandth, and f there.
 *
 * It looks no further where a step does not gain more than `leastGain` of |f|. Where `f` has several minima it finds one of them.
 */
export function minimise(f: (x: number) => number, leastGain = 0): { at: number; value: number } {
  let at = 1;
  let value = f(at);
  for (let ratio = 16; ratio > 1.001; ratio = Math.sqrt(ratio)) {
    for (const factor of [ratio, 1 / ratio]) {
      let next = f(at * factor);
      while (next < value - leastGain * Math.abs(value)) {
        at *= factor;
        value = next;
        next = f(at * factor);
      }
    }
  }
  return { at, value };
}
