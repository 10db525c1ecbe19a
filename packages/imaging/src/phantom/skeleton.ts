import { coverage, ellipseDistance, mix, ramp } from './shape.ts';
import type { Thorax } from './thorax.ts';

const corticalHu = 720;
const marrowHu = 190;
const cartilageHu = 105;
const discHu = 75;

/**
 * HU at a point the thorax has just been asked about, after ribs, sternum, shoulder blades and spine
 * have been laid over `tissueHu`. `widthMm` is the voxel's width, over which edges are blended.
 */
export function withSkeleton(
  t: Thorax,
  x: number,
  y: number,
  z: number,
  tissueHu: number,
  widthMm: number,
): number {
  let hu = tissueHu;
  if (t.cage > -4 && t.cage < 18) hu = withRibs(t, x, y, z, hu, widthMm);
  if (y < -40 && Math.abs(x) < 40) hu = withSternum(t, x, y, hu, widthMm);
  if (y > -30 && Math.abs(x) > 40 && t.cage > 8) hu = withScapula(t, x, y, hu, widthMm);
  if (y > 30 && Math.abs(x) < 46) hu = withSpine(t, x, y, z, hu, widthMm);
  return hu;
}

/** Lays compact bone with marrow inside over `hu`; `shellMm` is the compact bone's thickness. */
function withBone(hu: number, distance: number, shellMm: number, widthMm: number): number {
  if (distance > widthMm) return hu;
  const shell = mix(hu, corticalHu, coverage(distance, widthMm));
  return mix(shell, marrowHu, coverage(distance + shellMm, widthMm));
}

function withRibs(t: Thorax, x: number, y: number, z: number, hu: number, widthMm: number): number {
  const { ribPhase, ribGap, ribDrop, lungHeight } = t.person;
  if (Math.abs(x) < 17) return hu;
  // 0 at the spine, 1 at the sternum: how far round the rib has come.
  const around = (1 - y / Math.sqrt(x * x + y * y)) / 2;
  const row = (lungHeight + 4 - ribPhase * 0.2 - ribDrop * around ** 0.9 - z) / ribGap;
  const rib = Math.round(row);
  // The last two ribs end freely at the side.
  if (rib < 0 || rib > 11 || (rib > 9 && around > 0.5)) return hu;
  const dz = (row - rib) * ribGap;
  const outward = t.cage - 6.5;
  const distance = (Math.sqrt((outward / 3.9) ** 2 + (dz / 6.3) ** 2) - 1) * 3.9;
  if (distance > widthMm) return hu;
  if (around > 0.86) return mix(hu, cartilageHu, coverage(distance, widthMm));
  return withBone(hu, distance, 1.6, widthMm);
}

function withSternum(t: Thorax, x: number, y: number, hu: number, widthMm: number): number {
  const share = t.level;
  if (share < 0.22 || share > 0.9) return hu;
  const halfWidth = mix(13, 24, ramp(0.68, 0.85, share)) * ramp(0.2, 0.3, share);
  const distance = ellipseDistance(x, t.cage - 6, halfWidth, 6);
  return y < 0 ? withBone(hu, distance, 1.3, widthMm) : hu;
}

function withScapula(t: Thorax, x: number, y: number, hu: number, widthMm: number): number {
  const share = t.level;
  if (share < 0.45) return hu;
  const angle = Math.atan2(Math.abs(x), y);
  const low = mix(0.78, 0.62, ramp(0.45, 0.8, share));
  const high = mix(0.9, 1.45, ramp(0.45, 0.75, share));
  if (angle < low - 0.05 || angle > high + 0.05) return hu;
  const t01 = (angle - low) / (high - low);
  const half = 1.6 + 3.4 * ramp(0.75, 1, t01) + 1.2 * ramp(0.2, 0, t01);
  const plate = Math.abs(t.cage - 15 - 12 * t01) - half;
  const ends = Math.max(low - angle, angle - high) * 110;
  let distance = Math.max(plate, ends);
  if (share > 0.74) {
    // The spine of the scapula, and the joint's socket above it.
    const ridge = Math.max(
      Math.abs(t01 - 0.55 - (t.cage - 22) * 0.008) * 60 - 2.4,
      t.cage - 46,
      20 - t.cage,
    );
    distance = Math.min(distance, ridge);
  }
  return t.body > -6 ? hu : withBone(hu, distance, 1.3, widthMm);
}

function withSpine(
  t: Thorax,
  x: number,
  y: number,
  z: number,
  tissueHu: number,
  widthMm: number,
): number {
  const { cageHalfDepth, ribGap, ribPhase, lungHeight } = t.person;
  const size = mix(1.1, 0.82, ramp(0, 1, t.level));
  const centre = cageHalfDepth * 0.62 + 6 + 10 * ramp(0.75, 1.05, t.level);
  const canal = centre + 22 * size;
  let hu = tissueHu;
  // One vertebra a rib: `phase` is 0 in the middle of a vertebra and ±0.5 in the middle of a disc.
  const row = (z - lungHeight + ribPhase * 0.2) / ribGap;
  const phase = row - Math.round(row);

  const ax = Math.abs(x);
  if (y < canal) {
    const waist = 1 - 0.07 * ramp(0.35, 0, Math.abs(phase));
    const body = ellipseDistance(x, y - centre, 17.5 * size * waist, 14 * size * waist);
    if (Math.abs(phase) > 0.4) hu = mix(hu, discHu, coverage(body + 0.5, widthMm));
    else {
      hu = withBone(hu, body, 1.4, widthMm);
      if (Math.abs(phase) > 0.34) hu = mix(hu, 420, coverage(body, widthMm));
    }
  }
  const ring = ellipseDistance(x, y - canal, 13 * size, 12.5 * size);
  const open = Math.abs(phase) > 0.32 && y < canal + 2;
  if (!open) hu = withBone(hu, ring, 1.6, widthMm);
  const process = Math.max(
    ax - 3.2 - 1.6 * ramp(canal + 26, canal + 36, y),
    y - canal - 38 * size,
    canal + 8 - y,
  );
  if (t.body < -9) hu = withBone(hu, process, 1.5, widthMm);
  const along = Math.max(ax - 31 * size, 9 - ax);
  const transverse = Math.max(along, Math.abs(y - canal - 2 - (ax - 10) * 0.45) - 4);
  if (Math.abs(phase - 0.12) < 0.22) hu = withBone(hu, transverse, 1.5, widthMm);
  const channel = ellipseDistance(x, y - canal, 8.5 * size, 7.6 * size);
  hu = mix(hu, 8, coverage(channel, widthMm));
  return mix(hu, 38, coverage(ellipseDistance(x, y - canal, 4.6, 3.9), widthMm));
}
