/**
 * How one hospital's scanner and protocol turn a body into voxels. Every field changes the data the
 * way such things differ between real hospitals; none of them is recorded in the voxels.
 */
export interface ScannerProfile {
  readonly name: string;
  /** Voxels along a side when no size is asked for, and the width of the field of view. */
  readonly matrix: number;
  readonly fieldOfViewMm: number;
  /** Distance of slices when no size is asked for. */
  readonly sliceSpacingMm: number;
  /** How much of the body one slice averages over. */
  readonly sliceThicknessMm: number;
  /** In-plane blur of the reconstruction kernel (standard deviation). */
  readonly blurMm: number;
  /** Edge enhancement of the kernel: 0 none, 1 strong. */
  readonly edgeGain: number;
  /** Noise in the middle of the body (standard deviation), and how far it is correlated in plane. */
  readonly noiseHu: number;
  readonly noiseCorrelationMm: number;
  /** Miscalibration: measured = (HU + 1000) · gain − 1000 + offset. */
  readonly gain: number;
  readonly offsetHu: number;
  /** Cupping and shading: a smooth error over the field of view, this many HU at most. */
  readonly biasHu: number;
  /** HU added to blood by contrast agent. */
  readonly contrastHu: number;
  /** What is stored outside the round field of view; `null`: the corners are reconstructed. */
  readonly paddingHu: number | null;
  /** Which row and which slice is stored first. The affine says so as well. */
  readonly firstRow: 'front' | 'back';
  readonly firstSlice: 'feet' | 'head';
  /** The table below the patient. */
  readonly table: 'curved' | 'flat' | 'none';
}

export type ScannerName = 'hospital-a' | 'hospital-b' | 'hospital-c' | 'external';

/** Four clearly different scanners. */
export const scannerProfiles: Readonly<Record<ScannerName, ScannerProfile>> = {
  // A new scanner at usual dose: thin slices, soft kernel.
  'hospital-a': {
    name: 'hospital-a',
    matrix: 256,
    fieldOfViewMm: 400,
    sliceSpacingMm: 4,
    sliceThicknessMm: 2,
    blurMm: 0.7,
    edgeGain: 0.15,
    noiseHu: 14,
    noiseCorrelationMm: 1.6,
    gain: 1,
    offsetHu: 0,
    biasHu: 3,
    contrastHu: 0,
    paddingHu: -2048,
    firstRow: 'front',
    firstSlice: 'feet',
    table: 'curved',
  },
  // An old scanner at low dose: thick slices, much grainy noise, reads too low.
  'hospital-b': {
    name: 'hospital-b',
    matrix: 256,
    fieldOfViewMm: 440,
    sliceSpacingMm: 5,
    sliceThicknessMm: 5,
    blurMm: 1.2,
    edgeGain: 0,
    noiseHu: 38,
    noiseCorrelationMm: 2.6,
    gain: 0.965,
    offsetHu: -16,
    biasHu: 12,
    contrastHu: 0,
    paddingHu: -1024,
    firstRow: 'front',
    firstSlice: 'head',
    table: 'flat',
  },
  // A sharp lung kernel with contrast agent, stored upside down, reads too high.
  'hospital-c': {
    name: 'hospital-c',
    matrix: 256,
    fieldOfViewMm: 370,
    sliceSpacingMm: 5,
    sliceThicknessMm: 1.25,
    blurMm: 0.4,
    edgeGain: 0.9,
    noiseHu: 30,
    noiseCorrelationMm: 0.7,
    gain: 1.03,
    offsetHu: 18,
    biasHu: 5,
    contrastHu: 120,
    paddingHu: null,
    firstRow: 'back',
    firstSlice: 'feet',
    table: 'none',
  },
  // A hospital that never trains: between the others, with habits of its own.
  external: {
    name: 'external',
    matrix: 256,
    fieldOfViewMm: 420,
    sliceSpacingMm: 4.5,
    sliceThicknessMm: 3,
    blurMm: 0.9,
    edgeGain: 0.4,
    noiseHu: 24,
    noiseCorrelationMm: 1.2,
    gain: 0.99,
    offsetHu: 9,
    biasHu: 8,
    contrastHu: 45,
    paddingHu: -3024,
    firstRow: 'front',
    firstSlice: 'head',
    table: 'curved',
  },
};
