export { ImagingError, type ImagingErrorCode } from './error.ts';
export { openPngCohort, type ReadPngCohortOptions, readPngCohort } from './png-cohort.ts';
export { decodePngSlice, type PngSlice } from './png-slice.ts';
export {
  type Correction,
  type Mask,
  type Patient,
  type Scan,
  type Size,
  sameSize,
  voxelCount,
} from './scan.ts';
