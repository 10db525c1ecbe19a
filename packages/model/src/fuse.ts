import type { PreparedScan } from './prepare.ts';

/**
 * Fuses slice-wise probabilities along the scan's axis with the weights ¼ ½ ¼ (the ends repeat): a finding that only one slice
 * shows is halved, one that goes on is kept. Values stay within the range of their neighbours.
 */
export function fuse(
  values: Float32Array,
  { size, depth }: Pick<PreparedScan, 'size' | 'depth'>,
): Float32Array {
  const plane = size * size;
  const fused = new Float32Array(values.length);
  for (let z = 0; z < depth; z++) {
    const below = Math.max(0, z - 1) * plane;
    const above = Math.min(depth - 1, z + 1) * plane;
    for (let i = 0; i < plane; i++) {
      fused[z * plane + i] =
        ((values[below + i] as number) + (values[above + i] as number)) / 4 +
        (values[z * plane + i] as number) / 2;
    }
  }
  return fused;
}
