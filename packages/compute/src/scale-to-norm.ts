/**
 * Scales `values` in place so that their L2 norm is at most `limit`; shorter ones stay as they are. Values that are not finite stay so, or become NaN, for
 * whoever reads them to refuse.
 */
export function scaleToNorm(values: Float32Array, limit: number): void {
  let squares = 0;
  for (const value of values) squares += value * value;
  const norm = Math.sqrt(squares);
  if (!(norm > limit)) return;
  const factor = limit / norm;
  for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * factor;
}
