import type { Grid } from './grid.ts';
import type { Tube } from './tree.ts';

/**
 * Lays tubes of one HU value over a volume in HU. `widenMm` is added to every radius.
 *
 * A tube thinner than a voxel keeps its mass: it is drawn about a voxel wide and fainter, and a slice
 * that is thicker than the tube sees it over its whole length within the slice, thinned accordingly.
 */
export function paintTubes(
  volume: Float32Array,
  grid: Grid,
  tubes: readonly Tube[],
  hu: number,
  widenMm = 0,
): void {
  for (const tube of tubes) paintTube(volume, grid, tube, hu, widenMm);
}

function paintTube(
  volume: Float32Array,
  grid: Grid,
  tube: Tube,
  hu: number,
  widenMm: number,
): void {
  const [width, height, depth] = grid.size;
  const [sx, sy, sz] = grid.spacingMm;
  const [ox, oy, oz] = grid.originMm;
  const [x0, y0, z0] = tube.from;
  const dx = tube.to[0] - x0;
  const dy = tube.to[1] - y0;
  const dz = tube.to[2] - z0;
  const r0 = tube.fromRadius + widenMm;
  const r1 = tube.toRadius + widenMm;
  const rMax = Math.max(r0, r1);
  const soft = 0.5 * sx;
  const half = grid.thicknessMm / 2;
  // A thin tube is seen from anywhere within the slice, a thick one nearly as in an infinitely thin slice.
  const slack = half * Math.min(1, half / rMax);
  const length = Math.hypot(dx, dy, dz);
  const flat = length === 0 ? 1 : Math.hypot(dx, dy) / length;
  const kLow = Math.max(0, Math.ceil((Math.min(z0, z0 + dz) - rMax - half - oz) / sz));
  const kHigh = Math.min(depth - 1, Math.floor((Math.max(z0, z0 + dz) + rMax + half - oz) / sz));
  for (let k = kLow; k <= kHigh; k++) {
    const z = oz + k * sz;
    // The stretch of the axis that lies in this slice; outside of it, the end that is nearest.
    let t0 = 0;
    let t1 = 1;
    if (dz !== 0) {
      const a = (z - half - z0) / dz;
      const b = (z + half - z0) / dz;
      t0 = Math.min(1, Math.max(0, Math.min(a, b)));
      t1 = Math.min(1, Math.max(0, Math.max(a, b)));
    }
    const px = x0 + dx * t0;
    const py = y0 + dy * t0;
    const qx = dx * (t1 - t0);
    const qy = dy * (t1 - t0);
    const q2 = qx * qx + qy * qy;
    const reach = rMax + 2 * soft;
    const iLow = Math.max(0, Math.ceil((Math.min(px, px + qx) - reach - ox) / sx));
    const iHigh = Math.min(width - 1, Math.floor((Math.max(px, px + qx) + reach - ox) / sx));
    const jLow = Math.max(0, Math.ceil((Math.min(py, py + qy) - reach - oy) / sy));
    const jHigh = Math.min(height - 1, Math.floor((Math.max(py, py + qy) + reach - oy) / sy));
    for (let j = jLow; j <= jHigh; j++) {
      const y = oy + j * sy;
      const row = (k * height + j) * width;
      for (let i = iLow; i <= iHigh; i++) {
        const x = ox + i * sx;
        let s = q2 === 0 ? 0.5 : ((x - px) * qx + (y - py) * qy) / q2;
        s = s < 0 ? 0 : s > 1 ? 1 : s;
        const t = t0 + (t1 - t0) * s;
        const gap = Math.max(0, Math.abs(z - z0 - dz * t) - slack);
        const ex = x - px - qx * s;
        const ey = y - py - qy * s;
        const distance = Math.sqrt(ex * ex + ey * ey + gap * gap);
        const r = r0 + (r1 - r0) * t;
        const wide = Math.sqrt(r * r + soft * soft);
        if (distance > wide + soft) continue;
        const chord = Math.min(1, (2 * r) / Math.max(2 * r, 2 * half * flat));
        const inside = Math.min(1, (wide + soft - distance) / (2 * soft));
        const share = ((r * r) / (wide * wide)) * inside * chord;
        const old = volume[row + i] ?? 0;
        volume[row + i] = old + (hu - old) * share;
      }
    }
  }
}
