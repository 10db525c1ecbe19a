import type { Seeded } from './seeded.ts';
import type { AugmentationSpec } from './task.ts';

/** One way to look at a slice: where each target pixel comes from, and what becomes of its value. */
export interface Augmentation {
  /** Target to source, about the centre: (x, y) ↦ (a·x + b·y + e, c·x + d·y + f), in units of half the plane. */
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly e: number;
  readonly f: number;
  readonly gain: number;
  readonly offset: number;
  /** Standard deviation of the added pixel noise. */
  readonly noise: number;
}

/** Leaves a slice as it is. */
export const unchanged: Augmentation = {
  a: 1,
  b: 0,
  c: 0,
  d: 1,
  e: 0,
  f: 0,
  gain: 1,
  offset: 0,
  noise: 0,
};

/** Draws flips, turn, zoom, shift, contrast, brightness and noise within the bounds of `spec`. */
export function drawAugmentation(spec: AugmentationSpec, random: Seeded): Augmentation {
  const mirrorX = random.uniform() < spec.flipHorizontal ? -1 : 1;
  const mirrorY = random.uniform() < spec.flipVertical ? -1 : 1;
  const angle = (random.between(-spec.rotateDegrees, spec.rotateDegrees) * Math.PI) / 180;
  const zoom = Math.exp(random.between(-spec.zoom, spec.zoom));
  const [cos, sin] = [Math.cos(angle) * zoom, Math.sin(angle) * zoom];
  return {
    a: mirrorX * cos,
    b: mirrorX * -sin,
    c: mirrorY * sin,
    d: mirrorY * cos,
    e: random.between(-spec.shift, spec.shift),
    f: random.between(-spec.shift, spec.shift),
    gain: Math.exp(random.between(-spec.contrast, spec.contrast)),
    offset: random.between(-spec.brightness, spec.brightness),
    noise: random.between(0, spec.noise),
  };
}

/**
 * Writes the plane [size][size] as `augmentation` places it into `target`; what lies outside repeats the border
 * (image) or is 0 (mask). Bilinear between the centres of the cells. Values are not touched.
 */
export function placePlane(
  source: Float32Array | Uint8Array,
  size: number,
  augmentation: Augmentation,
  outside: 'border' | 'zero',
  scale: number,
  target: Float32Array,
): void {
  const { a, b, c, d, e, f } = augmentation;
  const centre = (size - 1) / 2;
  const half = size / 2;
  const last = size - 1;
  for (let v = 0; v < size; v++) {
    for (let u = 0; u < size; u++) {
      const sx = a * (u - centre) + b * (v - centre) + e * half + centre;
      const sy = c * (u - centre) + d * (v - centre) + f * half + centre;
      if (outside === 'zero' && (sx < -0.5 || sy < -0.5 || sx > last + 0.5 || sy > last + 0.5)) {
        target[v * size + u] = 0;
        continue;
      }
      const x = sx < 0 ? 0 : sx > last ? last : sx;
      const y = sy < 0 ? 0 : sy > last ? last : sy;
      const x0 = Math.min(Math.floor(x), size - 2);
      const y0 = Math.min(Math.floor(y), size - 2);
      const fx = x - x0;
      const fy = y - y0;
      const at = y0 * size + x0;
      const top = (source[at] as number) * (1 - fx) + (source[at + 1] as number) * fx;
      const low = (source[at + size] as number) * (1 - fx) + (source[at + size + 1] as number) * fx;
      target[v * size + u] = (top * (1 - fy) + low * fy) * scale;
    }
  }
}

/** Applies gain about 0, offset and noise to normalised intensities, in place. */
export function alterIntensity(
  image: Float32Array,
  { gain, offset, noise }: Augmentation,
  random: Seeded,
): void {
  for (let i = 0; i < image.length; i++) {
    // The sum of three uniforms has variance 1/4: near enough to a normal draw for noise on pixels, and cheap.
    const draw =
      noise === 0 ? 0 : 2 * (random.uniform() + random.uniform() + random.uniform() - 1.5);
    image[i] = (image[i] as number) * gain + offset + noise * draw;
  }
}
