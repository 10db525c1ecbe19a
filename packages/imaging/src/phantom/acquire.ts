import type { Grid } from './grid.ts';
import type { Person } from './person.ts';
import type { Random } from './random.ts';
import type { ScannerProfile } from './scanner.ts';
import { coverage, mix, ramp } from './shape.ts';
import { airHu } from './tissue.ts';

/**
 * Turns ideal HU into what the scanner stores, in place: table, kernel, shading, gain, noise, padding,
 * whole numbers within the scanner's range of −1024..3071 (padding may lie below).
 */
export function acquire(
  hu: Float32Array,
  grid: Grid,
  profile: ScannerProfile,
  person: Person,
  random: Random,
): void {
  const [width, height, depth] = grid.size;
  const widthMm = grid.spacingMm[0];
  const plane = width * height;
  const blurred = new Float32Array(plane);
  const scratch = new Float32Array(plane);
  const grain = new Float32Array(plane);
  const bend = [
    random.normal(0, 0.5),
    random.normal(0, 0.5),
    random.uniform() < 0.5 ? -1 : 1,
  ] as const;
  const view = fieldOfView(grid, profile, bend);
  for (let k = 0; k < depth; k++) {
    const slice = hu.subarray(k * plane, (k + 1) * plane);
    layTable(slice, grid, profile, person);
    applyKernel(slice, blurred, scratch, width, height, profile, widthMm);
    for (let i = 0; i < plane; i++) grain[i] = random.normal();
    correlate(grain, scratch, width, height, profile.noiseCorrelationMm / widthMm);
    const z = grid.originMm[2] + k * grid.spacingMm[2];
    // Shoulders and the upper abdomen let fewer photons through.
    const dense =
      1 + 0.55 * ramp(0.8, 1, z / person.lungHeight) + 0.2 * ramp(0.25, 0, z / person.lungHeight);
    const strength = profile.noiseHu * dense;
    for (let at = 0; at < plane; at++) {
      const noise = strength * (view.noise[at] ?? 0) * (grain[at] ?? 0);
      const ideal = slice[at] ?? airHu;
      const measured =
        (ideal + 1000) * profile.gain - 1000 + profile.offsetHu + (view.bias[at] ?? 0) + noise;
      slice[at] = Math.max(-1024, Math.min(3071, Math.round(measured)));
    }
    if (profile.paddingHu === null) continue;
    for (let at = 0; at < plane; at++) if (view.outside[at] === 1) slice[at] = profile.paddingHu;
  }
}

/** What depends on the place in the field of view alone, and is the same in every slice. */
interface FieldOfView {
  /** Share of the profile's noise: most in the middle, where the fewest photons arrive. */
  noise: Float32Array;
  /** Shading in HU: cupping or capping, and a tilt of each patient's own. */
  bias: Float32Array;
  /** 1 outside the circle that is reconstructed. */
  outside: Uint8Array;
}

function fieldOfView(
  grid: Grid,
  profile: ScannerProfile,
  [tiltX, tiltY, cupping]: readonly [number, number, number],
): FieldOfView {
  const [width, height] = grid.size;
  const view: FieldOfView = {
    noise: new Float32Array(width * height),
    bias: new Float32Array(width * height),
    outside: new Uint8Array(width * height),
  };
  for (let at = 0; at < width * height; at++) {
    const x = grid.originMm[0] + (at % width) * grid.spacingMm[0];
    const y = grid.originMm[1] + Math.floor(at / width) * grid.spacingMm[1];
    const r2 = (x * x + y * y) / (profile.fieldOfViewMm / 2) ** 2;
    view.noise[at] = 0.35 + 0.75 * Math.exp(-2.2 * r2);
    const tilt = (tiltX * x + tiltY * y) / profile.fieldOfViewMm;
    view.bias[at] = profile.biasHu * (cupping * (0.6 - r2) + tilt);
    view.outside[at] = r2 > 1 ? 1 : 0;
  }
  return view;
}

function layTable(slice: Float32Array, grid: Grid, profile: ScannerProfile, person: Person): void {
  if (profile.table === 'none') return;
  const [width, height] = grid.size;
  const [sx, sy] = grid.spacingMm;
  const back = person.cageHalfDepth + person.muscle + person.fat + 24 + person.shiftY;
  for (let j = 0; j < height; j++) {
    const y = grid.originMm[1] + j * sy;
    if (y < back - 60) continue;
    for (let i = 0; i < width; i++) {
      const at = j * width + i;
      if ((slice[at] ?? 0) > -950) continue;
      const x = grid.originMm[0] + i * sx;
      const sag = profile.table === 'curved' ? (x * x) / 620 : 0;
      const below = y - back + sag;
      const edge = Math.max(-below, below - 22, Math.abs(x) - 205);
      const foam = mix(slice[at] ?? airHu, -900, coverage(edge, sx));
      slice[at] = mix(foam, -240, coverage(Math.abs(edge + 1.4) - 1.4, sx));
    }
  }
}

function applyKernel(
  slice: Float32Array,
  blurred: Float32Array,
  scratch: Float32Array,
  width: number,
  height: number,
  profile: ScannerProfile,
  widthMm: number,
): void {
  blur(slice, slice, scratch, width, height, profile.blurMm / widthMm);
  if (profile.edgeGain === 0) return;
  blur(slice, blurred, scratch, width, height, Math.max(0.8, 1.1 / widthMm));
  for (let i = 0; i < slice.length; i++) {
    const value = slice[i] ?? 0;
    slice[i] = value + profile.edgeGain * (value - (blurred[i] ?? 0));
  }
}

/** Blurs white noise of variance 1 and brings its variance back to 1. */
function correlate(
  grain: Float32Array,
  scratch: Float32Array,
  width: number,
  height: number,
  sigma: number,
): void {
  const kernel = gaussianKernel(sigma);
  blur(grain, grain, scratch, width, height, sigma);
  // A separable blur with weights w scales the variance by (Σ w²)².
  const energy = kernel.reduce((sum, w) => sum + w * w, 0);
  for (let i = 0; i < grain.length; i++) grain[i] = (grain[i] ?? 0) / energy;
}

/** Separable Gaussian blur with clamped edges; `sigma` in voxels. `target` may be `source`. */
function blur(
  source: Float32Array,
  target: Float32Array,
  scratch: Float32Array,
  width: number,
  height: number,
  sigma: number,
): void {
  const kernel = gaussianKernel(sigma);
  const half = (kernel.length - 1) / 2;
  if (half === 0) {
    target.set(source);
    return;
  }
  for (let j = 0; j < height; j++) {
    const row = j * width;
    for (let i = 0; i < width; i++) {
      let sum = 0;
      for (let n = -half; n <= half; n++) {
        const from = i + n < 0 ? 0 : i + n >= width ? width - 1 : i + n;
        sum += (kernel[n + half] ?? 0) * (source[row + from] ?? 0);
      }
      scratch[row + i] = sum;
    }
  }
  for (let j = 0; j < height; j++) {
    for (let i = 0; i < width; i++) {
      let sum = 0;
      for (let n = -half; n <= half; n++) {
        const from = j + n < 0 ? 0 : j + n >= height ? height - 1 : j + n;
        sum += (kernel[n + half] ?? 0) * (scratch[from * width + i] ?? 0);
      }
      target[j * width + i] = sum;
    }
  }
}

/** Weights with sum 1, out to 2.5 standard deviations; a single 1 where the blur is below a quarter voxel. */
function gaussianKernel(sigma: number): Float64Array {
  if (sigma < 0.25) return Float64Array.of(1);
  const half = Math.max(1, Math.ceil(2.5 * sigma));
  const kernel = Float64Array.from({ length: 2 * half + 1 }, (_, i) =>
    Math.exp(-((i - half) ** 2) / (2 * sigma * sigma)),
  );
  const sum = kernel.reduce((a, b) => a + b, 0);
  return kernel.map((w) => w / sum);
}
