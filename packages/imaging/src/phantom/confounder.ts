import { createNoiseField } from './lattice-noise.ts';
import type { Random } from './random.ts';
import { mix, ramp } from './shape.ts';
import type { Thorax } from './thorax.ts';
import type { Tube } from './tree.ts';
import { lungPoints } from './vessels.ts';

/**
 * What looks like a lesion of the illness and is none: `atelectasis` (dependent lung that lies
 * collapsed at the back), `granuloma` (calcified scars), `effusion` (fluid behind one lung),
 * `emphysema` (holes, mostly in the upper lobes).
 */
export type Confounder = 'atelectasis' | 'granuloma' | 'effusion' | 'emphysema';

/** The confounders of one patient, asked point by point after the thorax has been probed there. */
export interface Confounders {
  /** How much of the point is fluid rather than lung: 0..1. Fluid is not part of the lung mask. */
  fluid(x: number, y: number, z: number): number;
  /** The lung's HU after atelectasis and emphysema. */
  lungHu(hu: number, x: number, y: number, z: number): number;
  granulomas: readonly Tube[];
}

export const fluidHu = 9;

export function createConfounders(
  thorax: Thorax,
  kinds: readonly Confounder[],
  random: Random,
): Confounders {
  const effusion = kinds.includes('effusion') ? drawEffusion(random.fork('effusion')) : undefined;
  const atelectasis = kinds.includes('atelectasis')
    ? drawAtelectasis(random.fork('atelectasis'))
    : undefined;
  const emphysema = kinds.includes('emphysema')
    ? drawEmphysema(random.fork('emphysema'))
    : undefined;
  const fluidDepth = (x: number, y: number): number => {
    if (effusion === undefined || x * effusion.side < 0) return -99;
    const spread = ramp(5, 78, y) * ramp(effusion.top, effusion.top * 0.25, thorax.level);
    // Without a share of the fluid there is no film of it along the rest of the chest wall either.
    return effusion.thickness * spread + thorax.cage - 12 * ramp(0.15, 0, spread);
  };
  return {
    fluid: (x, y) => ramp(-1, 1, fluidDepth(x, y)),
    lungHu(hu, x, y, z) {
      let value = hu;
      if (emphysema !== undefined) {
        const hole = ramp(emphysema.threshold, emphysema.threshold + 0.1, emphysema.holes(x, y, z));
        value = mix(value, -965, hole * mix(0.25, 1, ramp(0.35, 0.7, thorax.level)));
      }
      if (atelectasis !== undefined) {
        const limit = atelectasis.thickness * (0.25 + 1.5 * atelectasis.shape(x, y * 0.5, z));
        const low = ramp(12, 58, y) * ramp(0.72, 0.3, thorax.level);
        const share = ramp(-2, 5, limit * low + thorax.cage - 0.5);
        value = mix(value, atelectasis.hu, share * ramp(0, 0.3, low));
      }
      // Lung beside fluid is pressed together.
      const pressed = ramp(-9, -1, fluidDepth(x, y));
      return mix(value, 22, pressed * 0.85);
    },
    granulomas: kinds.includes('granuloma') ? drawGranulomas(thorax, random.fork('granuloma')) : [],
  };
}

function drawEffusion(random: Random) {
  return {
    side: random.uniform() < 0.5 ? -1 : 1,
    thickness: random.between(14, 46),
    top: random.between(0.55, 0.9),
  };
}

function drawAtelectasis(random: Random) {
  return {
    thickness: random.between(9, 20),
    hu: random.between(-260, -30),
    shape: createNoiseField(random.integer(0, 2 ** 31), 24),
  };
}

function drawEmphysema(random: Random) {
  return {
    threshold: random.between(0.5, 0.66),
    holes: createNoiseField(random.integer(0, 2 ** 31), 11),
  };
}

function drawGranulomas(thorax: Thorax, random: Random): Tube[] {
  return Array.from({ length: random.integer(1, 4) }, () => {
    const [point = [60, 20, 120] as const] = lungPoints(
      thorax,
      random.uniform() < 0.5 ? -1 : 1,
      1,
      8,
      random,
    );
    const radius = random.between(1.8, 4.2);
    return {
      from: point,
      to: [point[0] + 0.4, point[1], point[2]],
      fromRadius: radius,
      toRadius: radius,
      generation: 0,
    };
  });
}
