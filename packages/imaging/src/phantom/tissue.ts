import { createNoiseField } from './lattice-noise.ts';
import type { Random } from './random.ts';
import { coverage, ellipseDistance, mix, ramp } from './shape.ts';
import { withSkeleton } from './skeleton.ts';
import type { Thorax } from './thorax.ts';

export const airHu = -1000;
const fatHu = -102;
const muscleHu = 54;
const bloodHu = 41;
const liverHu = 58;

/** HU of everything but the air-filled lung, at a point the thorax has just been asked about. */
export type SoftTissue = (x: number, y: number, z: number) => number;

/**
 * Chest wall, mediastinum without its great vessels, heart, upper abdomen and skeleton.
 * `widthMm` is the voxel's width, over which edges are blended; `contrastHu` is what contrast agent adds to blood.
 */
export function createSoftTissue(
  t: Thorax,
  random: Random,
  widthMm: number,
  contrastHu: number,
): SoftTissue {
  const { person } = t;
  const slow = createNoiseField(random.integer(0, 2 ** 31), 38);
  const sheets = createNoiseField(random.integer(0, 2 ** 31), 26);
  const lobules = createNoiseField(random.integer(0, 2 ** 31), 9);
  const gas = random.between(-46, -14);
  const liver = liverHu + random.normal(0, 7) + 0.25 * contrastHu;
  const spleenY = random.between(34, 46);

  function chestWall(x: number, y: number, z: number): number {
    const uneven = slow(x, y, z);
    const flank = ramp(0.4, 1, Math.abs(x) / person.cageHalfWidth);
    const fatMm = person.fat * (0.55 + 0.7 * uneven) * mix(0.8, 1.15, flank) + 2;
    const fatty = fatHu + 26 * (lobules(x, y, z) - 0.5);
    if (t.body > -1.6) return mix(airHu, 18, coverage(t.body, widthMm));
    // Between the ribs: muscle, with a thin layer of fat on the pleura.
    if (t.cage < 11) return mix(muscleHu - 4, fatty, coverage(t.cage - 0.9, 1.5) * 0.7);
    // Fat parts the muscles into layers that follow the ribs, and here and there runs between them.
    const layer = sheets(x, y, z * 0.5);
    const depth = (t.cage - 14 - 9 * layer) / 13;
    const sheet = coverage(Math.abs(depth - Math.round(depth)) * 13 - 0.5, 1.6 * widthMm) * 0.42;
    const planes = ramp(0.02, 0.005, Math.abs(layer - 0.5)) * ramp(0.45, 0.6, uneven) * 0.7;
    const gap = Math.max(sheet * ramp(0.3, 0.55, uneven), 0);
    const muscular = mix(muscleHu + 10 * (uneven - 0.5), fatty, Math.max(planes, gap));
    return mix(fatty, muscular, coverage(fatMm + t.body, widthMm));
  }

  function mediastinum(x: number, y: number, z: number): number {
    const fatty = fatHu + 6 + 30 * (lobules(x, y, z) - 0.5);
    if (t.heart > widthMm) return fatty;
    // Fat lies under the pericardium, most in the grooves and at the front.
    const cushion = 1.5 + 7 * slow(x * 1.6, y * 1.6, z * 1.6) ** 2 + 3 * ramp(-20, -55, y);
    const muscle = mix(fatty, 50 + 0.45 * contrastHu, coverage(t.heart + cushion, widthMm));
    const blood = mix(muscle, bloodHu - 2 + contrastHu, coverage(t.heart + cushion + 10, widthMm));
    const pericardium = coverage(Math.abs(t.heart) - 0.8, widthMm) * 0.55;
    return mix(blood, 28, pericardium);
  }

  function abdomen(x: number, y: number, z: number): number {
    const fatty = fatHu + 22 * (lobules(x, y, z) - 0.5);
    let hu = fatty;
    const liverEdge = x - 42 + 0.55 * (y + 34) + 16 * (slow(x, y, z) - 0.5);
    const liverShape = Math.max(liverEdge, t.cage + 3.5, t.diaphragm + 2);
    hu = mix(hu, liver + 9 * (sheets(x, y, z) - 0.5), coverage(liverShape, widthMm));
    const stomach = Math.max(
      ellipseDistance(x - 62, y + 16, 44, 40),
      t.diaphragm + 5,
      t.cage + 6,
      -liverEdge + 3,
    );
    if (stomach < widthMm) {
      const content = y < gas ? -960 : 24 + 40 * (lobules(x, y, z) - 0.5);
      hu = mix(mix(hu, 44, coverage(stomach, widthMm)), content, coverage(stomach + 4, widthMm));
    }
    const spleen = Math.max(
      ellipseDistance(x - 82, y - spleenY, 40, 36),
      t.diaphragm + 3,
      t.cage + 4,
      -stomach + 2,
    );
    hu = mix(hu, 51, coverage(spleen, widthMm));
    // The diaphragm's own muscle.
    return mix(hu, 48, coverage(Math.abs(t.diaphragm + 1) - 1.2, widthMm) * 0.8);
  }

  return (x, y, z) => {
    let hu: number;
    if (t.cage > 0) hu = chestWall(x, y, z);
    else if (t.diaphragm < 0 && t.heart > 0) hu = abdomen(x, y, z);
    else hu = mediastinum(x, y, z);
    return withSkeleton(t, x, y, z, hu, widthMm);
  };
}
