import type { Seeded } from './seeded.ts';
import type { AugmentationSpec } from './task.ts';

/**
 * Where each pixel of a training sample comes from: offsets (x, y) from the sample's centre ↦ offsets (a·x + b·y + e, c·x + d·y + f) from
 * the plane's centre, in pixels.
 */
export interface Placement {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly e: number;
  readonly f: number;
}

/** Draws flips, turn, zoom, stretch and shift within the bounds of `spec`, for planes of `size` × `size`. */
export function drawPlacement(spec: AugmentationSpec, size: number, random: Seeded): Placement {
  const mirrorX = random.uniform() < spec.flipHorizontal ? -1 : 1;
  const mirrorY = random.uniform() < spec.flipVertical ? -1 : 1;
  const angle = (random.between(-spec.rotateDegrees, spec.rotateDegrees) * Math.PI) / 180;
  const zoom = Math.exp(random.between(-spec.zoom, spec.zoom));
  const stretch = Math.exp(random.between(-spec.stretch, spec.stretch));
  const reach = (spec.shift * size) / 2;
  return {
    a: mirrorX * Math.cos(angle) * zoom * stretch,
    b: -Math.sin(angle) * zoom * stretch,
    c: (Math.sin(angle) * zoom) / stretch,
    d: (mirrorY * Math.cos(angle) * zoom) / stretch,
    e: random.between(-reach, reach),
    f: random.between(-reach, reach),
  };
}

/**
 * Cuts the sample [cropSize][cropSize] that `placement` describes out of the plane [size][size], bilinear between pixel centres, times `factor`.
 * Beyond the plane the border repeats (`border`) or there is nothing (`zero`).
 */
export function cutOut(
  source: Float32Array | Uint8Array,
  size: number,
  placement: Placement,
  beyond: 'border' | 'zero',
  factor: number,
  target: Float32Array,
  cropSize: number,
): void {
  const { a, b, c, d, e, f } = placement;
  const centre = (size - 1) / 2;
  const half = (cropSize - 1) / 2;
  const last = size - 1;
  for (let v = 0; v < cropSize; v++) {
    for (let u = 0; u < cropSize; u++) {
      const sx = a * (u - half) + b * (v - half) + e + centre;
      const sy = c * (u - half) + d * (v - half) + f + centre;
      if (beyond === 'zero' && (sx < -0.5 || sy < -0.5 || sx > last + 0.5 || sy > last + 0.5)) {
        target[v * cropSize + u] = 0;
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
      target[v * cropSize + u] = (top * (1 - fy) + low * fy) * factor;
    }
  }
}

/**
 * Changes the intensities of one sample, planes [planes][size][size] that belong together, in place: blur or sharpness, a smooth field of gain and offset, contrast and
 * brightness, gamma, noise. All but the noise are the same for every plane of the sample.
 */
export function alterIntensity(
  image: Float32Array,
  size: number,
  spec: AugmentationSpec,
  random: Seeded,
): void {
  const blur = random.uniform() < spec.blur ? random.uniform() : 0;
  const sharpen = random.uniform() < spec.sharpen ? random.uniform() : 0;
  mixWithMean(image, size, blur - sharpen);
  applyField(image, size, spec.field * random.uniform(), random);
  const gain = Math.exp(random.between(-spec.contrast, spec.contrast));
  const offset = random.between(-spec.brightness, spec.brightness);
  const exponent = Math.exp(random.between(-spec.gamma, spec.gamma));
  for (let i = 0; i < image.length; i++) {
    const unit = ((image[i] as number) * gain + offset + 2) / 5;
    image[i] = 5 * Math.min(1.2, Math.max(1e-3, unit)) ** exponent - 2;
  }
  const noise = random.uniform() < spec.noiseShare ? random.between(0, spec.noise) : 0;
  if (noise > 0) {
    addNoise(image, noise, random);
  }
}

/** image += share · (mean of the 3×3 neighbourhood − image), plane by plane; a negative share sharpens. The border repeats. */
function mixWithMean(image: Float32Array, size: number, share: number): void {
  if (share === 0) {
    return;
  }
  const across = new Float32Array(size * size);
  for (let plane = 0; plane < image.length; plane += size * size) {
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const row = plane + y * size;
        across[y * size + x] =
          ((image[row + Math.max(0, x - 1)] as number) +
            (image[row + x] as number) +
            (image[row + Math.min(size - 1, x + 1)] as number)) /
          3;
      }
    }
    for (let y = 0; y < size; y++) {
      const above = Math.max(0, y - 1) * size;
      const below = Math.min(size - 1, y + 1) * size;
      for (let x = 0; x < size; x++) {
        const mean =
          ((across[above + x] as number) +
            (across[y * size + x] as number) +
            (across[below + x] as number)) /
          3;
        const at = plane + y * size + x;
        image[at] = (image[at] as number) + share * (mean - (image[at] as number));
      }
    }
  }
}

/** Knots of the smooth field along each axis. */
const knots = 6;

function applyField(image: Float32Array, size: number, deviation: number, random: Seeded): void {
  if (deviation === 0) {
    return;
  }
  const draw = (): Float64Array =>
    Float64Array.from({ length: knots * knots }, () => random.normal() * deviation);
  const gains = draw();
  const offsets = draw();
  const plane = size * size;
  for (let y = 0; y < size; y++) {
    const v = (y * (knots - 1)) / (size - 1);
    const row = Math.min(knots - 2, Math.floor(v));
    for (let x = 0; x < size; x++) {
      const u = (x * (knots - 1)) / (size - 1);
      const column = Math.min(knots - 2, Math.floor(u));
      const gain = Math.exp(between(gains, row, column, u - column, v - row));
      const offset = between(offsets, row, column, u - column, v - row);
      for (let at = y * size + x; at < image.length; at += plane) {
        image[at] = (image[at] as number) * gain + offset;
      }
    }
  }
}

function between(grid: Float64Array, row: number, column: number, u: number, v: number): number {
  const at = row * knots + column;
  const top = (grid[at] as number) * (1 - u) + (grid[at + 1] as number) * u;
  const low = (grid[at + knots] as number) * (1 - u) + (grid[at + knots + 1] as number) * u;
  return top * (1 - v) + low * v;
}

/** The sum of three uniforms has variance ¼ and is near enough to a normal draw for noise on pixels, at a quarter of the cost. */
function addNoise(image: Float32Array, deviation: number, random: Seeded): void {
  for (let i = 0; i < image.length; i++) {
    const draw = 2 * (random.uniform() + random.uniform() + random.uniform() - 1.5);
    image[i] = (image[i] as number) + deviation * draw;
  }
}
