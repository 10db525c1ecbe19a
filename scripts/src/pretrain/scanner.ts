import type { ScannerProfile } from '@consilium/imaging/phantom';
import type { Seeded } from '@consilium/model';

/**
 * A scanner that no hospital has: every habit drawn on its own from about what chest CT protocols do. What is learned over many of them
 * cannot lean on one.
 */
export function drawScanner(random: Seeded): ScannerProfile {
  const oneOf = <T>(...values: readonly T[]): T => values[random.below(values.length)] as T;
  return {
    name: 'drawn',
    matrix: 256,
    fieldOfViewMm: random.between(340, 460),
    sliceSpacingMm: 5,
    sliceThicknessMm: random.between(1, 6),
    blurMm: random.between(0.3, 1.5),
    edgeGain: oneOf(0, random.between(0, 1)),
    noiseHu: random.between(8, 45),
    noiseCorrelationMm: random.between(0.5, 3),
    gain: random.between(0.95, 1.05),
    offsetHu: random.between(-25, 25),
    biasHu: random.between(0, 15),
    contrastHu: oneOf(0, random.between(0, 160)),
    paddingHu: oneOf(null, -1024, -2000, -2048, -3024),
    firstRow: oneOf('front', 'back'),
    firstSlice: oneOf('feet', 'head'),
    table: oneOf('curved', 'flat', 'none'),
  };
}
