import type { Mask, Patient, Scan, Size } from '../scan.ts';
import { acquire } from './acquire.ts';
import { type Body, drawBody } from './body.ts';
import type { Confounder } from './confounder.ts';
import type { Grid } from './grid.ts';
import { drawPerson } from './person.ts';
import { createRandom } from './random.ts';
import { type ScannerName, type ScannerProfile, scannerProfiles } from './scanner.ts';

/** Ill since `day` days, or not ill. Either may have confounders; `control` must name them, if only as an empty list. */
export type Condition =
  | { kind: 'covid'; day: number; confounders?: readonly Confounder[] }
  | { kind: 'control'; confounders: readonly Confounder[] };

export interface GeneratePatientOptions {
  /** 0..2³²−1. The same options give the same voxels. */
  seed: number;
  profile: ScannerProfile | ScannerName;
  condition: Condition;
  /**
   * Voxels along x, y, z. The field of view and the chest's extent stay, so that the spacing follows
   * from it. At least 16 × 16 × 1. @default the profile's matrix and slice spacing
   */
  size?: Size;
  /** @default `phantom-<profile>-<seed>` */
  id?: string;
}

const marginBelowMm = 14;
const marginAboveMm = 12;

/**
 * Makes up a chest CT with lung and lesion truth. No patient's data has gone into it.
 *
 * The scan is in HU and covers both lungs, with the spacing and the affine (LPS) of the profile's grid.
 * Outside a round field of view it holds the profile's padding value, which lies far below air;
 * everything else is a whole number in −1024..3071. The lesion mask lies within the lung mask and is
 * empty for controls. Build, vessels and lesions depend on seed and condition alone, and the same
 * person can so be sent through several scanners and grids.
 *
 * Deterministic on one JavaScript engine; between engines `Math.exp`, `Math.pow` and the trigonometric
 * functions may differ in the last bit, which rounding to whole HU hides nearly always.
 *
 * @throws {RangeError} when a seed, size or day is out of range, or the profile's name is unknown.
 */
export function generatePatient(options: GeneratePatientOptions): Patient {
  const profile =
    typeof options.profile === 'string' ? namedProfile(options.profile) : options.profile;
  const random = createRandom(options.seed);
  const person = drawPerson(random.fork('person'));
  const grid = gridFor(profile, person.lungHeight, options.size);
  const { condition } = options;
  const body = drawBody(
    {
      person,
      day: condition.kind === 'covid' ? condition.day : null,
      confounders: condition.confounders ?? [],
      contrastHu: profile.contrastHu,
      random,
    },
    grid,
  );
  acquire(body.hu, grid, profile, person, random.fork('scanner'));
  return {
    id: options.id ?? `phantom-${profile.name}-${options.seed}`,
    ...stored(body, grid, profile),
  };
}

function namedProfile(name: ScannerName): ScannerProfile {
  const profile = Object.hasOwn(scannerProfiles, name) ? scannerProfiles[name] : undefined;
  if (profile === undefined) {
    throw new RangeError(
      `no scanner profile ${name}; there are ${Object.keys(scannerProfiles).join(', ')}`,
    );
  }
  return profile;
}

function gridFor(profile: ScannerProfile, lungHeightMm: number, wanted: Size | undefined): Grid {
  const extent = lungHeightMm + marginBelowMm + marginAboveMm;
  const size = wanted ?? [
    profile.matrix,
    profile.matrix,
    Math.max(1, Math.round(extent / profile.sliceSpacingMm)),
  ];
  const [width, height, depth] = size;
  const whole = size.every((n) => Number.isInteger(n) && n <= 1024);
  if (!whole || width < 16 || height < 16 || depth < 1) {
    throw new RangeError(
      `size must be whole numbers from 16×16×1 to 1024×1024×1024, got ${size.join('×')}`,
    );
  }
  const inPlane = profile.fieldOfViewMm / width;
  const between = extent / depth;
  return {
    size,
    spacingMm: [inPlane, inPlane, between],
    originMm: [
      (-(width - 1) / 2) * inPlane,
      (-(height - 1) / 2) * inPlane,
      -marginBelowMm + between / 2,
    ],
    thicknessMm: profile.sliceThicknessMm,
  };
}

/** Puts rows and slices into the order in which the profile stores them, and writes that into the affine. */
function stored(
  body: Body,
  grid: Grid,
  profile: ScannerProfile,
): { scan: Scan; lung: Mask; lesion: Mask } {
  const [width, height, depth] = grid.size;
  const [sx, sy, sz] = grid.spacingMm;
  const [ox, oy, oz] = grid.originMm;
  const backFirst = profile.firstRow === 'back';
  const headFirst = profile.firstSlice === 'head';
  const reorder = <T extends Float32Array | Uint8Array>(voxels: T): T => {
    if (!backFirst && !headFirst) return voxels;
    const out = voxels.slice() as T;
    for (let k = 0; k < depth; k++) {
      for (let j = 0; j < height; j++) {
        const from =
          ((headFirst ? depth - 1 - k : k) * height + (backFirst ? height - 1 - j : j)) * width;
        out.set(voxels.subarray(from, from + width), (k * height + j) * width);
      }
    }
    return out;
  };
  const affine = [
    ...[sx, 0, 0, ox],
    ...[0, backFirst ? -sy : sy, 0, backFirst ? oy + (height - 1) * sy : oy],
    ...[0, 0, headFirst ? -sz : sz, headFirst ? oz + (depth - 1) * sz : oz],
    ...[0, 0, 0, 1],
  ];
  const { size, spacingMm } = grid;
  return {
    scan: { voxels: reorder(body.hu), size, spacingMm, affine, intensity: 'hounsfield' },
    lung: { voxels: reorder(body.lung), size },
    lesion: { voxels: reorder(body.lesion), size },
  };
}
