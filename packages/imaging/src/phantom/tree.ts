import type { Random } from './random.ts';

export type Point = readonly [x: number, y: number, z: number];

/** A straight piece of a vessel or an airway, its radius running evenly from one end to the other. All in mm. */
export interface Tube {
  from: Point;
  to: Point;
  fromRadius: number;
  toRadius: number;
  /** 1 at the root, one more at every fork. */
  generation: number;
}

export interface TreeInit {
  root: Point;
  /** Every one of them is reached by a twig. */
  targets: readonly Point[];
  /** Radius of a twig that serves one target. */
  twigRadius: number;
  /** Upper bound of the root's radius. */
  maxRadius: number;
  /** No piece beyond this generation is grown. @default unlimited */
  generations?: number;
}

/**
 * Grows a tree from its root into a cloud of targets: at every node the cloud is halved across
 * its longest side and a branch is sent part of the way to the middle of each half. Radii follow
 * Murray's law with exponent 2.7, so that a branch serving n targets has radius twig · n^(1/2.7).
 *
 * @see Kitaoka, Takaki, Suki 1999, A three-dimensional model of the human airway tree
 */
export function growTree(init: TreeInit, random: Random): Tube[] {
  const tubes: Tube[] = [];
  const radiusFor = (count: number): number =>
    Math.min(init.maxRadius, init.twigRadius * count ** (1 / 2.7));
  const grow = (
    from: Point,
    fromRadius: number,
    targets: readonly Point[],
    generation: number,
  ): void => {
    if (generation > (init.generations ?? Number.POSITIVE_INFINITY)) return;
    const middle = centroid(targets);
    const share = targets.length === 1 ? 1 : random.between(0.34, 0.52);
    const bend = targets.length === 1 ? 0 : distance(from, middle) * 0.07;
    const to: Point = [
      from[0] + (middle[0] - from[0]) * share + random.normal(0, bend),
      from[1] + (middle[1] - from[1]) * share + random.normal(0, bend),
      from[2] + (middle[2] - from[2]) * share + random.normal(0, bend),
    ];
    const radius = Math.min(fromRadius, radiusFor(targets.length));
    const toRadius = targets.length === 1 ? radius * 0.75 : radius;
    tubes.push({ from, to, fromRadius: Math.min(fromRadius, radius * 1.12), toRadius, generation });
    if (targets.length === 1) return;
    for (const half of halve(targets, random)) {
      grow(to, Math.min(toRadius, radiusFor(half.length)), half, generation + 1);
    }
  };
  if (init.targets.length > 0) grow(init.root, radiusFor(init.targets.length), init.targets, 1);
  return tubes;
}

/** Cuts the cloud across its longest side, nearer to its middle than to its ends. */
function halve(points: readonly Point[], random: Random): [Point[], Point[]] {
  let axis: 0 | 1 | 2 = 0;
  let longest = -1;
  for (const candidate of [0, 1, 2] as const) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (const point of points) {
      low = Math.min(low, point[candidate]);
      high = Math.max(high, point[candidate]);
    }
    if (high - low > longest) {
      longest = high - low;
      axis = candidate;
    }
  }
  const sorted = [...points].sort((a, b) => a[axis] - b[axis]);
  const cut = Math.round(sorted.length * random.between(0.32, 0.68));
  const at = Math.max(1, Math.min(sorted.length - 1, cut));
  return [sorted.slice(0, at), sorted.slice(at)];
}

function centroid(points: readonly Point[]): Point {
  let x = 0;
  let y = 0;
  let z = 0;
  for (const point of points) {
    x += point[0];
    y += point[1];
    z += point[2];
  }
  return [x / points.length, y / points.length, z / points.length];
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
