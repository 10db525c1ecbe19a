import type { Random } from './random.ts';

/**
 * One person's build. Lengths in mm; positions in LPS (+x left, +y back, +z head) around the middle
 * of the chest, with z = 0 at the lowest point of the lungs and z = `lungHeight` at their tops.
 */
export interface Person {
  lungHeight: number;
  /** Half the inner width and depth of the rib cage where it is widest. */
  cageHalfWidth: number;
  cageHalfDepth: number;
  /** Thickness of the fat below the skin, and of the muscle over the ribs. */
  fat: number;
  muscle: number;
  /** 1: usual; the heart's size. */
  heart: number;
  /** Height of the right diaphragm's dome; the left one lies lower by `domeStep`. */
  dome: number;
  domeStep: number;
  /** Mean HU of healthy lung in its middle; −880 in deep inspiration, −780 in poor. */
  lungHu: number;
  /** HU per mm from front to back. */
  gravityHuPerMm: number;
  /** Rotation about the long axis on the table, in radians. */
  roll: number;
  /** Position of the person on the table against the scanner's axis. */
  shiftX: number;
  shiftY: number;
  /** z of one of the ribs, distance between ribs, and how far a rib sinks on its way to the front. */
  ribPhase: number;
  ribGap: number;
  ribDrop: number;
  /** Amplitudes and phases of the unevenness of the outlines. */
  bumps: readonly { order: number; amplitude: number; phase: number }[];
}

/** Draws an adult; men and women of usual builds, without a sex being named. */
export function drawPerson(random: Random): Person {
  const stature = random.normal(1, 0.05);
  return {
    lungHeight: 246 * clampTo(stature * random.normal(1, 0.05), 0.84, 1.18),
    cageHalfWidth: 131 * clampTo(stature * random.normal(1, 0.03), 0.88, 1.12),
    cageHalfDepth: 95 * clampTo(stature * random.normal(1, 0.06), 0.85, 1.17),
    fat: clampTo(random.normal(14, 6), 4, 32),
    muscle: clampTo(random.normal(12, 3), 6, 20),
    heart: clampTo(random.normal(1, 0.08), 0.85, 1.2),
    dome: clampTo(random.normal(72, 10), 50, 98),
    domeStep: random.between(6, 18),
    lungHu: clampTo(random.normal(-845, 22), -885, -790),
    gravityHuPerMm: random.between(0.3, 0.7),
    roll: clampTo(random.normal(0, 0.035), -0.09, 0.09),
    shiftX: clampTo(random.normal(0, 6), -14, 14),
    shiftY: clampTo(random.normal(0, 7), -16, 16),
    ribPhase: random.between(0, 24),
    ribGap: random.between(24.5, 27.5),
    ribDrop: random.between(100, 130),
    bumps: [2, 3, 4, 5, 7].map((order) => ({
      order,
      amplitude: random.normal(0, 0.02 / order),
      phase: random.between(0, 2 * Math.PI),
    })),
  };
}

function clampTo(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
