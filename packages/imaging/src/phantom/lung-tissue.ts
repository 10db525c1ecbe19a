import type { Confounders } from './confounder.ts';
import { createNoiseField } from './lattice-noise.ts';
import { type Lesion, lesionShare } from './lesion.ts';
import type { Random } from './random.ts';
import { coverage, mix, ramp } from './shape.ts';
import type { Thorax } from './thorax.ts';

/** The lung's own tissue at points the thorax has just been probed at; vessels and bronchi are laid over it later. */
export interface LungTissue {
  /** Picks the lesions that can reach slices at this height. */
  moveTo(z: number): void;
  /** Fills `hu` and `diseased`. */
  probe(x: number, y: number, z: number): void;
  hu: number;
  /** Share of the point that belongs to lesions; the truth is where it is at least one half. */
  diseased: number;
}

export interface LungTissueInit {
  lesions: readonly Lesion[];
  confounders: Confounders;
  /** Voxel width and slice thickness, which thin lines are blurred by. */
  widthMm: number;
  thicknessMm: number;
}

export function createLungTissue(thorax: Thorax, init: LungTissueInit, random: Random): LungTissue {
  const { person } = thorax;
  const { lesions, confounders } = init;
  const seed = (): number => random.integer(0, 2 ** 31);
  const grain = createNoiseField(seed(), 4.5);
  const patches = createNoiseField(seed(), 30);
  const borderWide = createNoiseField(seed(), 17);
  const borderFine = createNoiseField(seed(), 6.5);
  const septa = createNoiseField(seed(), 8.5);
  const blotches = createNoiseField(seed(), 13);
  const fissureBlur = Math.max(init.widthMm, init.thicknessMm * 0.7);
  const fissureShare = Math.min(1, 0.9 / fissureBlur);
  let active: Lesion[] = [];

  function healthy(x: number, y: number, z: number): number {
    const hu = person.lungHu + person.gravityHuPerMm * y;
    return hu + 62 * (grain(x, y, z) - 0.5) + 34 * (patches(x, y, z) - 0.5);
  }

  function withFissures(hu: number, x: number, y: number, z: number): number {
    const h = person.lungHeight;
    const bow = 10 * (patches(x * 0.6, y * 0.6, z * 0.6) - 0.5) + 0.0009 * (Math.abs(x) - 60) ** 2;
    const oblique = (z - 0.42 * h - 1.02 * y + bow) / 1.43;
    let share = coverage(Math.abs(oblique) - 0.45, fissureBlur);
    if (x < 0 && oblique > 0) {
      const minor = z - 0.45 * h + 0.12 * y + bow;
      share = Math.max(share, coverage(Math.abs(minor) - 0.45, fissureBlur * 1.3));
    }
    return mix(hu, -420, share * fissureShare);
  }

  function withLesions(x: number, y: number, z: number, healthyHu: number): number {
    const depth = -Math.max(thorax.cage, -thorax.diaphragm);
    const wobble = 0.65 * (borderWide(x, y, z) - 0.5) + 0.45 * (borderFine(x, y, z) - 0.5);
    let hu = healthyHu;
    let diseased = 0;
    for (const lesion of active) {
      const share = lesionShare(lesion, x, y, z, depth, wobble);
      if (share <= 0) continue;
      if (share > diseased) diseased = share;
      let inside = lesion.hu + 110 * (blotches(x, y, z) - 0.5) + 70 * (grain(x, y, z) - 0.5);
      if (lesion.kind === 'crazy-paving') {
        const line = 1 - Math.abs(2 * septa(x, y, z) - 1);
        inside += 300 * ramp(0.72, 0.97, line);
      }
      // Disease fills air: it never makes the lung darker.
      hu = Math.max(hu, mix(healthyHu, Math.min(inside, 45), share));
    }
    tissue.diseased = diseased;
    return hu;
  }

  const tissue: LungTissue = {
    hu: 0,
    diseased: 0,
    moveTo(z) {
      active = lesions.filter((l) => ((z - l.centre[2]) / l.radii[2]) ** 2 < 6);
    },
    probe(x, y, z) {
      const base = confounders.lungHu(withFissures(healthy(x, y, z), x, y, z), x, y, z);
      tissue.diseased = 0;
      tissue.hu = active.length === 0 ? base : withLesions(x, y, z, base);
    },
  };
  return tissue;
}
