import type { Random } from './random.ts';
import { mix, ramp, smoothMax } from './shape.ts';
import type { Thorax } from './thorax.ts';
import { lungPoints } from './vessels.ts';

export type LesionKind = 'ground-glass' | 'crazy-paving' | 'consolidation';

/** One lesion's plan: an ellipsoid with an uneven, soft border that may be held to the lung's outer rim. Lengths in mm. */
export interface Lesion {
  kind: LesionKind;
  centre: readonly [x: number, y: number, z: number];
  radii: readonly [x: number, y: number, z: number];
  /** HU in its middle. */
  hu: number;
  /** Width over which it fades into healthy lung; the truth's outline lies in the middle of it. */
  soft: number;
  /** How far it reaches in from the chest wall and the diaphragm. */
  reach: number;
  /** Amplitude of the border's unevenness. */
  uneven: number;
}

/** What a day of the illness looks like on average; shares are 0..1. */
export interface Stage {
  /** Share of the lungs that is diseased. */
  burden: number;
  /** Shares of the kinds among lesions. */
  groundGlass: number;
  crazyPaving: number;
  consolidation: number;
  /** Median half width of a lesion in mm. */
  radius: number;
}

type Row = readonly [
  day: number,
  burden: number,
  groundGlass: number,
  crazyPaving: number,
  consolidation: number,
  radius: number,
];

// Early: small subpleural ground glass. Progressive: many, crazy paving. Peak at about day 10: dense.
// Absorption: consolidation dissolves into wide, faint ground glass.
const course: readonly Row[] = [
  [0, 0.015, 0.95, 0.03, 0.02, 11],
  [4, 0.06, 0.8, 0.12, 0.08, 14],
  [8, 0.16, 0.5, 0.27, 0.23, 18],
  [11, 0.22, 0.34, 0.28, 0.38, 20],
  [16, 0.15, 0.55, 0.12, 0.33, 19],
  [24, 0.07, 0.8, 0.04, 0.16, 18],
  [40, 0.02, 0.95, 0, 0.05, 15],
];

/**
 * The usual look of a day since onset, by linear interpolation; days beyond 40 look like day 40.
 *
 * @throws {RangeError} when `day` is negative or not finite.
 * @see Pan et al. 2020, Time Course of Lung Changes at Chest CT during Recovery from COVID-19 (four stages, peak at about day 10)
 */
export function stageOf(day: number): Stage {
  if (!(day >= 0 && day < Number.POSITIVE_INFINITY)) {
    throw new RangeError(`day since onset must be 0 or more, got ${day}`);
  }
  let low = course[0] as Row;
  let high = low;
  for (const row of course) {
    high = row;
    if (row[0] >= day) break;
    low = row;
  }
  const share = high[0] > low[0] ? Math.min(1, (day - low[0]) / (high[0] - low[0])) : 0;
  const at = (column: 1 | 2 | 3 | 4 | 5): number => mix(low[column], high[column], share);
  return {
    burden: at(1),
    groundGlass: at(2),
    crazyPaving: at(3),
    consolidation: at(4),
    radius: at(5),
  };
}

/**
 * Draws a patient's lesions for a day since onset: as many as the day's burden asks for, times a severity of
 * the patient's own (log-normal). They prefer the periphery, the back and the lower lobes. At least one.
 */
export function drawLesions(thorax: Thorax, day: number, random: Random): Lesion[] {
  const stage = stageOf(day);
  const severity = Math.exp(random.normal(0, 0.45));
  // About two litres of lung on each side at this size; clipping by the chest wall takes about half of a lesion.
  const { lungHeight, cageHalfWidth, cageHalfDepth } = thorax.person;
  const lungMm3 = 0.42 * (2 * cageHalfWidth) * (2 * cageHalfDepth) * lungHeight;
  let wanted = Math.min(0.55, stage.burden * severity) * lungMm3;
  const lesions: Lesion[] = [];
  const favoured = random.uniform() < 0.5 ? -1 : 1;
  while (wanted > 0 && lesions.length < 60) {
    const side = random.uniform() < 0.62 ? favoured : favoured === 1 ? -1 : 1;
    const lesion = drawLesion(thorax, stage, side, random);
    lesions.push(lesion);
    const [a, b, c] = lesion.radii;
    const kept = Math.min(1, lesion.reach / a) * 0.55 + 0.05;
    wanted -= (4 / 3) * Math.PI * a * b * c * kept;
    if (lesion.kind !== 'consolidation' && random.uniform() < stage.consolidation * 0.7) {
      lesions.push(denseCore(lesion, random));
    }
  }
  return lesions;
}

function drawLesion(thorax: Thorax, stage: Stage, side: -1 | 1, random: Random): Lesion {
  const centre = drawCentre(thorax, side, random);
  const kind = drawKind(stage, random);
  const radius = Math.min(46, Math.max(6, stage.radius * Math.exp(random.normal(0, 0.38))));
  const stretch = (): number => radius * Math.exp(random.normal(0, 0.2));
  const dense = kind === 'consolidation';
  return {
    kind,
    centre,
    radii: [stretch(), stretch(), stretch() * 1.1],
    hu: dense
      ? random.between(-220, 20)
      : kind === 'crazy-paving'
        ? random.between(-620, -460)
        : random.between(-690, -440),
    soft: dense ? random.between(4, 8) : random.between(6, 13),
    reach: random.uniform() < 0.7 ? radius * random.between(0.6, 1.3) : 4 * radius,
    uneven: radius * random.between(0.35, 0.75),
  };
}

function denseCore(around: Lesion, random: Random): Lesion {
  const shrink = random.between(0.35, 0.6);
  const [a, b, c] = around.radii;
  const shift = (): number => random.normal(0, a * 0.2);
  const [x, y, z] = around.centre;
  return {
    ...around,
    kind: 'consolidation',
    centre: [x + shift(), y + shift(), z + shift()],
    radii: [a * shrink, b * shrink, c * shrink],
    hu: random.between(-200, 20),
    soft: random.between(4, 9),
  };
}

function drawKind(stage: Stage, random: Random): LesionKind {
  const draw = random.uniform() * (stage.groundGlass + stage.crazyPaving + stage.consolidation);
  if (draw < stage.groundGlass) return 'ground-glass';
  return draw < stage.groundGlass + stage.crazyPaving ? 'crazy-paving' : 'consolidation';
}

function drawCentre(
  thorax: Thorax,
  side: -1 | 1,
  random: Random,
): readonly [number, number, number] {
  const candidates = lungPoints(thorax, side, 60, 1, random);
  for (const [x, y, z] of candidates) {
    thorax.moveTo(z);
    thorax.probe(x, y);
    const deep = -Math.max(thorax.cage, -thorax.diaphragm);
    const periphery = Math.exp(-deep / 11);
    const back = mix(0.22, 1, ramp(-60, 50, y));
    const lower = mix(1, 0.22, ramp(0.3, 0.85, thorax.level));
    if (random.uniform() < (periphery + 0.04) * back * lower) return [x, y, z];
  }
  return candidates[0] ?? [side * 70, 30, thorax.person.lungHeight * 0.3];
}

/**
 * How far a point belongs to a lesion: 1 well inside, 0.5 on its outline, 0 outside.
 *
 * `depthMm` is the point's distance from the chest wall or the diaphragm, `wobble` a noise value in −0.5..0.5.
 */
export function lesionShare(
  lesion: Lesion,
  x: number,
  y: number,
  z: number,
  depthMm: number,
  wobble: number,
): number {
  const dx = (x - lesion.centre[0]) / lesion.radii[0];
  const dy = (y - lesion.centre[1]) / lesion.radii[1];
  const dz = (z - lesion.centre[2]) / lesion.radii[2];
  const q2 = dx * dx + dy * dy + dz * dz;
  if (q2 > 6) return 0;
  const least = Math.min(lesion.radii[0], lesion.radii[1], lesion.radii[2]);
  const ellipsoid = (Math.sqrt(q2) - 1) * least;
  const distance = smoothMax(ellipsoid, depthMm - lesion.reach, 6) + wobble * lesion.uneven;
  return ramp(lesion.soft / 2, -lesion.soft / 2, distance);
}
