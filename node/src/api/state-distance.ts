/**
 * How far two states are apart: ‖a − b‖₂ ÷ max(‖a‖₂, ‖b‖₂), of weights as integers on one grid. From 0, for equal weights and only for them, to 2; the
 * same either way round.
 *
 * @throws {RangeError} when they are not of one length.
 */
export function stateDistance(a: Int32Array, b: Int32Array): number {
  if (a.length !== b.length) throw new RangeError(`${a.length} weights against ${b.length}`);
  let [difference, normA, normB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    difference += (x - y) ** 2;
    normA += x * x;
    normB += y * y;
  }
  // Two states without any weight that is not 0 are equal.
  const largest = Math.max(normA, normB);
  return largest === 0 ? 0 : Math.min(2, Math.sqrt(difference / largest));
}
