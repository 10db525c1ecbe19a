import type { Person } from './person.ts';
import {
  createOutline,
  curve,
  ellipseDistance,
  mix,
  ramp,
  smoothMax,
  smoothMin,
  superellipseRadius,
} from './shape.ts';

/**
 * The shape of one chest. `moveTo` sets the height, `probe` asks for a point at that height and
 * fills the distances in mm (negative inside). Splitting it so keeps a whole scan within a second.
 */
export interface Thorax {
  readonly person: Person;
  moveTo(z: number): void;
  probe(x: number, y: number): void;
  /** To the skin. */
  body: number;
  /** To the inner face of the rib cage. */
  cage: number;
  /** To the pleural space of the side the point is on: the lung, when nothing else fills that space. */
  lung: number;
  /** To the heart's surface. */
  heart: number;
  /** To the diaphragm: negative below it. */
  diaphragm: number;
  /** Height above the lungs' lowest point as a share of the lungs' height: 0 base, 1 top. */
  readonly level: number;
}

const cageWidth = curve([
  [-0.4, 0.93],
  [0, 0.98],
  [0.3, 1],
  [0.6, 0.94],
  [0.8, 0.8],
  [1, 0.58],
  [1.2, 0.42],
]);
const cageDepth = curve([
  [-0.4, 0.95],
  [0, 0.99],
  [0.3, 1],
  [0.6, 0.95],
  [0.8, 0.83],
  [1, 0.64],
  [1.2, 0.5],
]);
const cageBack = curve([
  [0.5, 0],
  [0.8, 7],
  [1, 17],
  [1.2, 24],
]);
const bodyWidth = curve([
  [-0.4, 0.95],
  [0.1, 0.98],
  [0.5, 1.02],
  [0.75, 1.06],
  [0.95, 1.12],
  [1.15, 0.98],
]);
const bodyDepth = curve([
  [-0.4, 1.02],
  [0.2, 1],
  [0.6, 0.99],
  [0.85, 0.94],
  [1, 0.86],
  [1.15, 0.74],
]);

export function createThorax(person: Person): Thorax {
  const { lungHeight: height, cageHalfWidth, cageHalfDepth, heart: heartSize } = person;
  const uneven = (angle: number): number =>
    person.bumps.reduce((sum, b) => sum + b.amplitude * Math.cos(b.order * angle + b.phase), 1);
  const cageOutline = createOutline((angle) => {
    const r = superellipseRadius(angle, cageHalfWidth, cageHalfDepth, 2.35);
    return r * (1 + (uneven(angle) - 1) * 0.5);
  });
  const wall = 12 + person.muscle + person.fat;
  const bodyOutline = createOutline((angle) => {
    // The back lies flat on the table and has a furrow over the spine; fat gathers at the flanks.
    const back = Math.max(0, Math.sin(angle));
    const r = superellipseRadius(
      angle,
      cageHalfWidth + wall * 1.15,
      cageHalfDepth + wall + 6,
      2.35 + back * 0.6,
    );
    const furrow = Math.exp(-(((angle - Math.PI / 2) / 0.13) ** 2));
    return r * uneven(angle) - 5 * furrow;
  });
  const heartTilt = -0.62;
  const heartCos = Math.cos(heartTilt);
  const heartSin = Math.sin(heartTilt);
  const at = {
    z: 0,
    u: 0,
    cageX: 1,
    cageY: 1,
    cageBack: 0,
    bodyX: 1,
    bodyY: 1,
    heart: 0,
    column: 0,
    front: 0,
    arch: 0,
    hilum: 0,
    oesophagus: 0,
    apex: 1,
  };

  const moveTo = (z: number): void => {
    const u = z / height;
    at.z = z;
    at.u = u;
    at.cageX = cageWidth(u);
    at.cageY = cageDepth(u);
    at.cageBack = cageBack(u);
    at.bodyX = bodyWidth(u);
    at.bodyY = bodyDepth(u);
    const h = (z - heartZ(person)) / (50 * heartSize);
    at.heart = h * h < 1 ? Math.sqrt(1 - h * h) : 0;
    at.column = mix(16, 27, ramp(0.35, 0.62, u)) + 5 * ramp(0.72, 0.95, u);
    at.front = 3.5 + 12 * ramp(0.55, 0.25, u) + 16 * ramp(0.8, 1, u);
    const arch = (z - 0.72 * height) / 19;
    at.arch = arch * arch < 1 ? Math.sqrt(1 - arch * arch) : 0;
    const hilum = (z - 0.53 * height) / 30;
    at.hilum = hilum * hilum < 1 ? Math.sqrt(1 - hilum * hilum) : 0;
    const apex = Math.max(0, (u - 0.48) / 0.52);
    at.apex = apex < 1 ? Math.sqrt(1 - apex ** 2) : 0;
  };

  const thorax = {
    person,
    body: 0,
    cage: 0,
    lung: 0,
    heart: 0,
    diaphragm: 0,
    get level() {
      return at.u;
    },
    moveTo,
    probe(x: number, y: number): void {
      const bodyScale = Math.min(at.bodyX, at.bodyY);
      thorax.body = bodyOutline.distance(x / at.bodyX, (y - 4) / at.bodyY) * bodyScale;
      if (thorax.body > 0) {
        thorax.cage = thorax.lung = thorax.heart = thorax.diaphragm = thorax.body;
        return;
      }
      const cage =
        cageOutline.distance(x / at.cageX, (y - at.cageBack) / at.cageY) *
        Math.min(at.cageX, at.cageY);
      thorax.cage = cage;
      // No surface of interest lies so far outside the ribs.
      if (cage > 14) {
        thorax.lung = thorax.heart = thorax.diaphragm = cage;
        return;
      }
      // The heart's long axis points to the left, the front and down.
      const hx = x - 20;
      const hy = y + 30;
      const along = hx * heartCos + hy * heartSin;
      const across = hy * heartCos - hx * heartSin;
      const long = 61 * heartSize * at.heart;
      const heart = at.heart > 0.05 ? ellipseDistance(along, across, long, long * 0.74) : 99;
      thorax.heart = heart;
      const diaphragm = diaphragmDistance(person, x, y, at.z);
      thorax.diaphragm = diaphragm;

      const inside = smoothMax(cage, apexDistance(x, y, at.apex), 12);
      const core = Math.abs(x) > 110 ? 99 : mediastinumDistance(x, y, heart);
      thorax.lung = smoothMax(smoothMax(inside, -core, 7), -diaphragm, 6);
    },
  };

  function mediastinumDistance(x: number, y: number, heart: number): number {
    let d = smoothMin(heart, ellipseDistance(x, y - 70, 27, 33), 8);
    d = smoothMin(
      d,
      ellipseDistance(
        x - 4,
        y - mix(24, 0, ramp(0.4, 0.6, at.u)),
        at.column,
        mix(26, 48, ramp(0.4, 0.62, at.u)),
      ),
      10,
    );
    d = smoothMin(d, ellipseDistance(x - 24, y - 42, 14, 14), 6);
    if (y < -20) d = smoothMin(d, Math.abs(x + 3) - at.front * ramp(-20, -70, y) - 0.01, 8);
    if (at.arch > 0.1)
      d = smoothMin(d, ellipseDistance(x - 20, y - 8, 24 * at.arch, 42 * at.arch), 6);
    if (at.hilum > 0.1)
      d = smoothMin(d, ellipseDistance(Math.abs(x) - 30, y - 8, 20 * at.hilum, 18 * at.hilum), 8);
    if (at.u > 0.4 && at.u < 0.95) d = smoothMin(d, ellipseDistance(x + 26, y + 14, 14, 17), 8);
    return d;
  }

  function apexDistance(x: number, y: number, share: number): number {
    if (share <= 0) return 30;
    return ellipseDistance(Math.abs(x) - 58, y - 6 - 12 * (1 - share), 86 * share, 112 * share);
  }

  return thorax;
}

/** Height of the heart's middle. */
export function heartZ(person: Person): number {
  return person.dome - person.domeStep * 0.5 + 27 * person.heart;
}

/** First-order signed distance to the two domes, negative below. */
function diaphragmDistance(person: Person, x: number, y: number, z: number): number {
  const top = person.dome - ramp(-15, 25, x) * person.domeStep;
  // Far above, the height alone says enough.
  if (z > top + 60) return z - top;
  const rx = person.cageHalfWidth * 0.64;
  // The domes reach far down at the back and the sides, and are held higher at the front.
  const ry = y < -8 ? person.cageHalfDepth * 1.45 : person.cageHalfDepth * 1.02;
  const dx =
    (Math.abs(x) - person.cageHalfWidth * 0.48) /
    (Math.abs(x) < person.cageHalfWidth * 0.48 ? rx * 1.9 : rx);
  const dy = (y + 8) / ry;
  const q = dx * dx + dy * dy;
  // Height falls with q^1.25, its slope with q^0.75; square roots are faster than powers.
  const half = Math.sqrt(q);
  const quarter = Math.sqrt(half);
  const surface = smoothMax(top * (1 - q * quarter), 0, 20);
  const slope = (2.5 * top * half * quarter) / Math.min(rx, ry);
  return (z - surface) / Math.sqrt(1 + slope * slope);
}
