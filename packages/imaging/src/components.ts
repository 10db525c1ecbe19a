import type { Mask, Size } from './scan.ts';

/** Voxel bounds of a part of a mask, both ends included. */
export interface Box {
  readonly min: readonly [x: number, y: number, z: number];
  readonly max: readonly [x: number, y: number, z: number];
}

/** One connected part of a mask. */
export interface Component {
  /** Its number in {@link Components.labels}, from 1. */
  readonly label: number;
  readonly voxels: number;
  readonly box: Box;
  /** Mean of the voxel indices. */
  readonly centroid: readonly [x: number, y: number, z: number];
}

export interface Components {
  /** One label a voxel, 0 outside the mask; laid out as the mask. */
  readonly labels: Int32Array;
  readonly size: Size;
  /** Largest first; among equals, the one that begins first in memory. Labels are 1, 2, … in this order. */
  readonly components: readonly Component[];
}

/**
 * The parts of a mask whose voxels touch by a face, an edge or a corner (26 neighbours in 3-D).
 * Every voxel of the mask belongs to exactly one part.
 */
export function connectedComponents(mask: Mask): Components {
  const { voxels, size } = mask;
  const [width, height, depth] = size;
  const labels = new Int32Array(voxels.length);
  const stack: number[] = [];
  const found: Component[] = [];
  for (let start = 0; start < voxels.length; start++) {
    if (voxels[start] === 0 || labels[start] !== 0) continue;
    const label = found.length + 1;
    labels[start] = label;
    stack.push(start);
    const part = createExtent();
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      const x = at % width;
      const y = Math.floor(at / width) % height;
      const z = Math.floor(at / (width * height));
      part.add(x, y, z);
      for (let k = Math.max(0, z - 1); k <= Math.min(depth - 1, z + 1); k++) {
        for (let j = Math.max(0, y - 1); j <= Math.min(height - 1, y + 1); j++) {
          for (let i = Math.max(0, x - 1); i <= Math.min(width - 1, x + 1); i++) {
            const next = (k * height + j) * width + i;
            if (voxels[next] === 0 || labels[next] !== 0) continue;
            labels[next] = label;
            stack.push(next);
          }
        }
      }
    }
    found.push(part.component(label));
  }
  return { labels, size, components: largestFirst(found, labels) };
}

function largestFirst(found: readonly Component[], labels: Int32Array): Component[] {
  const sorted = [...found].sort((a, b) => b.voxels - a.voxels || a.label - b.label);
  const renamed = new Int32Array(found.length + 1);
  for (const [i, component] of sorted.entries()) renamed[component.label] = i + 1;
  for (let i = 0; i < labels.length; i++) labels[i] = renamed[labels[i] ?? 0] ?? 0;
  return sorted.map((component, i) => ({ ...component, label: i + 1 }));
}

function createExtent() {
  const min: [number, number, number] = [Infinity, Infinity, Infinity];
  const max: [number, number, number] = [-1, -1, -1];
  const sum: [number, number, number] = [0, 0, 0];
  let voxels = 0;
  return {
    add(x: number, y: number, z: number): void {
      voxels++;
      if (x < min[0]) min[0] = x;
      if (y < min[1]) min[1] = y;
      if (z < min[2]) min[2] = z;
      if (x > max[0]) max[0] = x;
      if (y > max[1]) max[1] = y;
      if (z > max[2]) max[2] = z;
      sum[0] += x;
      sum[1] += y;
      sum[2] += z;
    },
    component: (label: number): Component => ({
      label,
      voxels,
      box: { min, max },
      centroid: [sum[0] / voxels, sum[1] / voxels, sum[2] / voxels],
    }),
  };
}
