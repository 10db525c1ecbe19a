/** Signed distances are in mm and negative inside. Those of ellipses are first-order approximations. */

/** How much of a voxel of width `widthMm` lies inside a surface at signed distance `distanceMm`: 0..1. */
export function coverage(distanceMm: number, widthMm: number): number {
  const c = 0.5 - distanceMm / widthMm;
  return c <= 0 ? 0 : c >= 1 ? 1 : c;
}

/** From `from` (at 0) to `to` (at 1). */
export function mix(from: number, to: number, share: number): number {
  return from + (to - from) * share;
}

/** 0 up to `low`, 1 from `high` on, a cubic step between them. */
export function ramp(low: number, high: number, value: number): number {
  const t = (value - low) / (high - low);
  return t <= 0 ? 0 : t >= 1 ? 1 : t * t * (3 - 2 * t);
}

/** Signed distance to an axis-parallel ellipse with half axes `a`, `b` around the origin. */
export function ellipseDistance(x: number, y: number, a: number, b: number): number {
  const q = Math.sqrt((x * x) / (a * a) + (y * y) / (b * b));
  return (q - 1) * (a < b ? a : b);
}

/** The smaller of two distances, rounded off over about `radiusMm` where the surfaces meet. */
export function smoothMin(a: number, b: number, radiusMm: number): number {
  const h = radiusMm - Math.abs(a - b);
  const least = a < b ? a : b;
  return h > 0 ? least - (h * h) / (4 * radiusMm) : least;
}

/** The greater of two distances, rounded off over about `radiusMm` where the surfaces meet. */
export function smoothMax(a: number, b: number, radiusMm: number): number {
  return -smoothMin(-a, -b, radiusMm);
}

/** A curve through `[argument, value]` points with rising arguments; constant beyond its ends. */
export function curve(
  points: readonly (readonly [number, number])[],
): (argument: number) => number {
  return (argument) => {
    let last = points[0] ?? [0, 0];
    for (const point of points) {
      if (argument <= point[0]) return mix(last[1], point[1], ramp(last[0], point[0], argument));
      last = point;
    }
    return last[1];
  };
}

/** A closed outline around the origin that every ray leaves once. */
export interface Outline {
  /** Signed distance along the ray through (x, y), in mm. */
  distance(x: number, y: number): number;
}

const rays = 512;

/** An outline whose radius at angle `angle` (0: +x, π/2: +y) is `radiusMm(angle)`. */
export function createOutline(radiusMm: (angle: number) => number): Outline {
  // Rays are numbered by the "diamond angle" y / (|x| + |y|), which needs no trigonometry to look up.
  const radii = new Float64Array(rays + 2);
  for (let i = 0; i < radii.length; i++) {
    const q = (i / rays) * 4 - 1;
    const p = q <= 1 ? q : 2 - q;
    const x = (1 - Math.abs(p)) * (q <= 1 ? 1 : -1);
    radii[i] = radiusMm(Math.atan2(p, x));
  }
  return {
    distance(x, y) {
      const sum = Math.abs(x) + Math.abs(y);
      if (sum === 0) return -(radii[0] ?? 0);
      const p = y / sum;
      const at = (((x >= 0 ? p : 2 - p) + 1) / 4) * rays;
      const i = at | 0;
      const low = radii[i] ?? 0;
      const radius = low + (at - i) * ((radii[i + 1] ?? low) - low);
      return Math.sqrt(x * x + y * y) - radius;
    },
  };
}

/** Radius of a superellipse (exponent `power`; 2: ellipse, more: boxier) in direction `angle`. */
export function superellipseRadius(angle: number, a: number, b: number, power: number): number {
  const c = Math.abs(Math.cos(angle)) / a;
  const s = Math.abs(Math.sin(angle)) / b;
  return (c ** power + s ** power) ** (-1 / power);
}
