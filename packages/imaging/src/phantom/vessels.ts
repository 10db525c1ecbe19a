import type { Person } from './person.ts';
import type { Random } from './random.ts';
import { heartZ, type Thorax } from './thorax.ts';
import { growTree, type Point, type Tube } from './tree.ts';

/** The tubes of one chest, by what fills them. Airways come as their lumen; walls are laid around them. */
export interface Vessels {
  /** Great vessels and the arteries and veins of the lungs. */
  blood: Tube[];
  oesophagus: Tube[];
  airways: Tube[];
  collarBones: Tube[];
  nodes: Tube[];
}

/** Lays out great vessels by hand and grows the trees of arteries, veins and bronchi into both lungs. */
export function createVessels(thorax: Thorax, random: Random): Vessels {
  const { person } = thorax;
  const blood = greatVessels(person);
  const airways = centralAirways(person);
  const h = person.lungHeight;
  for (const side of [-1, 1] as const) {
    const place = random.fork(side < 0 ? 'right' : 'left');
    const top = side < 0 ? 0.53 * h : 0.56 * h;
    blood.push(
      ...growTree(
        {
          root: [side * 36, 6, top],
          targets: lungPoints(thorax, side, 640, 4, place),
          twigRadius: 0.72,
          maxRadius: 7.5,
        },
        place,
      ),
      ...growTree(
        {
          root: [side * 34, -2, 0.45 * h],
          targets: lungPoints(thorax, side, 480, 4, place),
          twigRadius: 0.72,
          maxRadius: 6.5,
        },
        place,
      ),
    );
    const bronchus: Point = side < 0 ? [-26, 14, 0.51 * h] : [34, 17, 0.5 * h];
    airways.push(
      ...growTree(
        {
          root: bronchus,
          targets: lungPoints(thorax, side, 60, 14, place),
          twigRadius: 0.9,
          maxRadius: 4.6,
          generations: 6,
        },
        place,
      ),
    );
  }
  return {
    blood,
    airways,
    oesophagus: oesophagus(person),
    collarBones: collarBones(person),
    nodes: lymphNodes(person, random.fork('nodes')),
  };
}

/**
 * Points spread evenly in the lung of one side, at least `depthMm` below its surface.
 * Always ends: it gives up with fewer points after many misses.
 */
export function lungPoints(
  thorax: Thorax,
  side: -1 | 1,
  count: number,
  depthMm: number,
  random: Random,
): Point[] {
  const { lungHeight, cageHalfWidth, cageHalfDepth } = thorax.person;
  const points: Point[] = [];
  for (let tries = 0; points.length < count && tries < count * 40; tries++) {
    const x = side * random.between(0, cageHalfWidth);
    const y = random.between(-cageHalfDepth, cageHalfDepth);
    const z = random.between(0, lungHeight);
    thorax.moveTo(z);
    thorax.probe(x, y);
    if (thorax.lung < -depthMm) points.push([x, y, z]);
  }
  return points;
}

/** A chain of tubes through points with a radius each. */
function chain(
  points: readonly (readonly [x: number, y: number, z: number, radius: number])[],
): Tube[] {
  return points.slice(1).map((to, i) => {
    const from = points[i] ?? to;
    return {
      from: [from[0], from[1], from[2]],
      to: [to[0], to[1], to[2]],
      fromRadius: from[3],
      toRadius: to[3],
      generation: 0,
    };
  });
}

function greatVessels(person: Person): Tube[] {
  const h = person.lungHeight;
  const heart = heartZ(person);
  const arch = 0.72 * h;
  return [
    ...chain([
      [10, -18, heart + 18, 14],
      [4, -32, heart + 45, 15.5],
      [3, -34, arch - 16, 15],
      [8, -25, arch - 2, 14],
      [18, 4, arch + 3, 13.5],
      [23, 30, arch - 2, 13],
      [25, 41, arch - 16, 12.5],
      [25, 42, 0.45 * h, 12],
      [18, 42, 0.15 * h, 11.5],
      [6, 38, -60, 11],
    ]),
    ...chain([
      [-2, -22, arch + 6, 6.5],
      [-9, -12, 0.9 * h, 6],
      [-16, -2, 1.1 * h, 5],
    ]),
    ...chain([
      [12, -6, arch + 8, 4.2],
      [15, 4, 1.1 * h, 3.8],
    ]),
    ...chain([
      [20, 14, arch + 8, 4.8],
      [28, 16, 1.0 * h, 4.6],
      [52, 12, 1.08 * h, 4.4],
    ]),
    ...chain([
      [-27, -24, 0.84 * h, 9],
      [-27, -20, 0.66 * h, 9.5],
      [-26, -14, heart + 26, 10],
    ]),
    ...chain([
      [-27, -24, 0.84 * h, 7],
      [-34, -18, 1.08 * h, 6.5],
    ]),
    ...chain([
      [-25, -26, 0.83 * h, 6.5],
      [6, -40, 0.86 * h, 6.5],
      [30, -26, 0.97 * h, 6.5],
      [36, -14, 1.1 * h, 6],
    ]),
    ...chain([
      [20, -46, heart + 30, 14],
      [22, -34, 0.555 * h, 13.5],
      [24, -14, 0.585 * h, 12.5],
      [37, 8, 0.575 * h, 10],
    ]),
    ...chain([
      [22, -22, 0.57 * h, 12],
      [4, -8, 0.55 * h, 10.5],
      [-20, -4, 0.54 * h, 10],
      [-37, 4, 0.53 * h, 8.5],
    ]),
    ...chain([
      [-20, 13, heart + 24, 15],
      [20, 16, heart + 24, 15],
    ]),
    ...chain([
      [-18, 10, heart + 24, 8],
      [-36, -2, 0.45 * h, 6.5],
    ]),
    ...chain([
      [18, 12, heart + 24, 8],
      [36, -2, 0.45 * h, 6.5],
    ]),
    ...chain([
      [-26, 0, heart + 4, 11],
      [-23, 10, heart - 30, 11],
      [-20, 16, -60, 11],
    ]),
    ...chain([
      [-5, 43, -40, 3.2],
      [-6, 43, 0.6 * h, 3.6],
      [-12, 32, 0.655 * h, 4],
      [-26, -8, 0.65 * h, 4.5],
    ]),
  ];
}

function centralAirways(person: Person): Tube[] {
  const h = person.lungHeight;
  const carina = 0.575 * h;
  return [
    ...chain([
      [0, 14, 1.25 * h, 8.4],
      [0, 12, 0.95 * h, 8.6],
      [2, 9, 0.75 * h, 8.6],
      [1, 10, carina, 8.8],
    ]),
    ...chain([
      [-1, 10, carina + 3, 7.2],
      [-26, 14, 0.51 * h, 6.4],
    ]),
    ...chain([
      [3, 10, carina + 3, 6.6],
      [34, 17, 0.5 * h, 5.4],
    ]),
  ];
}

function oesophagus(person: Person): Tube[] {
  const h = person.lungHeight;
  return chain([
    [3, 29, 1.25 * h, 6.5],
    [5, 27, 0.8 * h, 7],
    [6, 29, 0.5 * h, 7.5],
    [11, 25, 0.28 * h, 8],
    [22, 10, 0.12 * h, 9],
  ]);
}

function collarBones(person: Person): Tube[] {
  const h = person.lungHeight;
  return [-1, 1].flatMap((side) =>
    chain([
      [side * 17, -56, 0.93 * h, 8],
      [side * 40, -52, 0.98 * h, 6],
      [side * 75, -36, 1.02 * h, 5.5],
      [side * 112, -8, 1.06 * h, 6.5],
    ]),
  );
}

function lymphNodes(person: Person, random: Random): Tube[] {
  const h = person.lungHeight;
  const stations: readonly Point[] = [
    [-13, -8, 0.66 * h],
    [-8, -14, 0.62 * h],
    [22, -10, 0.65 * h],
    [2, 20, 0.53 * h],
    [-2, -40, 0.72 * h],
  ];
  return stations.flatMap(([x, y, z]) => {
    const radius = random.between(2, 4.2);
    const spot: Point = [x + random.normal(0, 2), y + random.normal(0, 2), z + random.normal(0, 3)];
    return [
      {
        from: spot,
        to: [spot[0] + radius, spot[1] + 1, spot[2] + 2],
        fromRadius: radius,
        toRadius: radius,
        generation: 0,
      },
    ];
  });
}
