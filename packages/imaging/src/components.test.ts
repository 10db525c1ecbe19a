import fc from 'fast-check';
import { expect, test } from 'vitest';
import { connectedComponents } from './components.ts';
import type { Mask, Size } from './scan.ts';

const size: Size = [5, 4, 3];

const masks = fc
  .array(fc.integer({ min: 0, max: 2 }), { minLength: 60, maxLength: 60 })
  .map((values): Mask => ({ voxels: Uint8Array.from(values, (v) => (v === 0 ? 1 : 0)), size }));

const place = (at: number): [number, number, number] => [
  at % 5,
  Math.floor(at / 5) % 4,
  Math.floor(at / 20),
];

/** The plainest way: spread the lowest number among neighbours until nothing changes. */
function lowestReachable({ voxels }: Mask): number[] {
  const lowest = [...voxels].map((v, i) => (v ? i : -1));
  for (let changed = true; changed; ) {
    changed = false;
    for (let a = 0; a < lowest.length; a++) {
      for (let b = 0; b < lowest.length; b++) {
        const near = place(a).every((p, axis) => Math.abs(p - (place(b)[axis] ?? 0)) <= 1);
        const [la = -1, lb = -1] = [lowest[a], lowest[b]];
        if (near && la >= 0 && lb >= 0 && lb < la) {
          lowest[a] = lb;
          changed = true;
        }
      }
    }
  }
  return lowest;
}

test('joins exactly the voxels that touch, by face, edge or corner', () => {
  fc.assert(
    fc.property(masks, (mask) => {
      const { labels, components } = connectedComponents(mask);
      const expected = lowestReachable(mask);
      for (let a = 0; a < 60; a++) {
        expect(labels[a] === 0).toBe(mask.voxels[a] === 0);
        for (let b = 0; b < a; b++) {
          if (expected[a] === -1 || expected[b] === -1) continue;
          expect(labels[a] === labels[b]).toBe(expected[a] === expected[b]);
        }
      }
      expect(components.map((c) => c.label)).toEqual(components.map((_, i) => i + 1));
    }),
    { seed: 3, numRuns: 60 },
  );
});

test('measures every part: voxels, box, centroid, largest first', () => {
  fc.assert(
    fc.property(masks, (mask) => {
      const { labels, components } = connectedComponents(mask);
      for (const [i, part] of components.entries()) {
        const voxels = [...labels.keys()].filter((at) => labels[at] === part.label).map(place);
        expect(part.voxels).toBe(voxels.length);
        expect(part.voxels).toBeLessThanOrEqual(components[i - 1]?.voxels ?? 60);
        for (const axis of [0, 1, 2] as const) {
          const along = voxels.map((p) => p[axis]);
          expect(part.box.min[axis]).toBe(Math.min(...along));
          expect(part.box.max[axis]).toBe(Math.max(...along));
          expect(part.centroid[axis]).toBeCloseTo(
            along.reduce((a, b) => a + b, 0) / along.length,
            12,
          );
        }
      }
    }),
    { seed: 4, numRuns: 100 },
  );
});

test('does not join the end of a row to the beginning of the next', () => {
  const voxels = new Uint8Array(60);
  voxels[4] = 1;
  voxels[5] = 1;
  expect(connectedComponents({ voxels, size }).components).toHaveLength(2);
});

test('finds nothing in an empty mask', () => {
  expect(connectedComponents({ voxels: new Uint8Array(60), size }).components).toEqual([]);
});
